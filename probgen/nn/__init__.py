"""Networks: what maps tensors to tensors. They know no distribution and no objective."""

from probgen.nn.adversarial.dcgan import DCGANCritic, DCGANGenerator
from probgen.nn.adversarial.image_to_image import ImageToImageUNet
from probgen.nn.adversarial.maxout import BatchNormMLP, Maxout, MaxoutCritic
from probgen.nn.adversarial.multilayer import MLPCritic, MLPGenerator
from probgen.nn.adversarial.patch_critic import PatchCritic
from probgen.nn.adversarial.progressive import ProgressiveCritic, ProgressiveGenerator
from probgen.nn.adversarial.residual import ResidualCritic, ResidualGenerator
from probgen.nn.adversarial.spectral import convolution_operator_norm, orthogonal_penalty, spectral_normalized
from probgen.nn.adversarial.translator import ResidualTranslator
from probgen.nn.attention import MultiHeadAttention, SpatialAttention, TransformerBlock
from probgen.nn.causal.compiled_steps import CompiledSteps
from probgen.nn.causal.fvsbn import FVSBN
from probgen.nn.causal.gated_pixel_cnn import GatedPixelCNN
from probgen.nn.causal.nade import NADE
from probgen.nn.causal.pixel_cnn import PixelCNN
from probgen.nn.causal.pixel_cnn_plus_plus import PixelCNNPlusPlus
from probgen.nn.causal.pixel_rnn import PixelRNN
from probgen.nn.causal.pixel_snail import PixelSNAIL
from probgen.nn.causal.transformer import CausalTransformer
from probgen.nn.causal.wave_net import WaveNet
from probgen.nn.concat_squash import ConcatSquashMLP, TimeGate
from probgen.nn.concat_squash_conv import ConcatSquashConv
from probgen.nn.conditioning import ClassConditioning, Conditioning, Conditions, ImageConditioning, VectorConditioning
from probgen.nn.convolutional import ConvDecoder, ConvEncoder
from probgen.nn.convolutional_blocks import ConvBlock
from probgen.nn.denoising_mlp import DenoisingMLP
from probgen.nn.denoising_network import DenoisingNetwork
from probgen.nn.dit import DiT
from probgen.nn.lipschitz import (
    LipschitzConv2d,
    LipschitzConvNet,
    LipschitzLinear,
    LipschitzMLP,
    LipSwish,
    convolution_norm_bound,
    spectral_norm_bound,
)
from probgen.nn.made import MADE
from probgen.nn.merge_block import MergeBlock, TopDownUpdate
from probgen.nn.mlp import MLP
from probgen.nn.noise_embedding import FourierEmbedding, NoiseEmbedding, SinusoidalEmbedding
from probgen.nn.periodic import Periodic, PeriodicIncremental
from probgen.nn.residual_block import Downsample, ResidualBlock, Upsample
from probgen.nn.skip import Skip
from probgen.nn.text_conditioning import TextConditioning
from probgen.nn.unet import UNet

__all__ = [
    "FVSBN",
    "MADE",
    "MLP",
    "NADE",
    "BatchNormMLP",
    "CausalTransformer",
    "ClassConditioning",
    "CompiledSteps",
    "ConcatSquashConv",
    "ConcatSquashMLP",
    "Conditioning",
    "Conditions",
    "ConvBlock",
    "ConvDecoder",
    "ConvEncoder",
    "DCGANCritic",
    "DCGANGenerator",
    "DenoisingMLP",
    "DenoisingNetwork",
    "DiT",
    "Downsample",
    "FourierEmbedding",
    "GatedPixelCNN",
    "ImageConditioning",
    "ImageToImageUNet",
    "LipSwish",
    "LipschitzConv2d",
    "LipschitzConvNet",
    "LipschitzLinear",
    "LipschitzMLP",
    "MLPCritic",
    "MLPGenerator",
    "Maxout",
    "MaxoutCritic",
    "MergeBlock",
    "MultiHeadAttention",
    "NoiseEmbedding",
    "PatchCritic",
    "Periodic",
    "PeriodicIncremental",
    "PixelCNN",
    "PixelCNNPlusPlus",
    "PixelRNN",
    "PixelSNAIL",
    "ProgressiveCritic",
    "ProgressiveGenerator",
    "ResidualBlock",
    "ResidualCritic",
    "ResidualGenerator",
    "ResidualTranslator",
    "SinusoidalEmbedding",
    "Skip",
    "SpatialAttention",
    "TextConditioning",
    "TimeGate",
    "TopDownUpdate",
    "TransformerBlock",
    "UNet",
    "Upsample",
    "VectorConditioning",
    "WaveNet",
    "convolution_norm_bound",
    "convolution_operator_norm",
    "orthogonal_penalty",
    "spectral_norm_bound",
    "spectral_normalized",
]
