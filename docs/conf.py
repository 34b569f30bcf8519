"""How the documentation is built: every page runs, every warning is an error, nothing is fetched from a network."""

import os
import re
from pathlib import Path

from docutils import nodes

import probgen

project = "probgen"
author = "The probgen developers"
copyright = "2026, the probgen developers"
version = release = probgen.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["_build", "changes", "_static", "**.ipynb_checkpoints"]

# Pages are MyST notebooks; a cell that fails, or an assertion in it, fails the build.
nb_execution_mode = "cache"
nb_execution_cache_path = str(Path(__file__).parent / "_build" / "executed")
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_execution_timeout = 120
nb_merge_streams = True
nb_render_markdown_format = "myst"  # tables that cells make
nb_output_stderr = "warn"  # what a page writes there is a mistake of the page or of the library
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath", "fieldlist"]
myst_heading_anchors = 3
myst_dmath_double_inline = True

# Kernels inherit these: one thread each (pages run side by side), figures in the house style, no widgets.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["MATPLOTLIBRC"] = str(Path(__file__).parent / "matplotlibrc")
os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
os.environ["PYTHONWARNINGS"] = "ignore:IProgress not found"  # tqdm asks for a notebook's widgets
os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"

# Docstrings are Google style with an equation; a class is described where it is defined.
autodoc_default_options = {"members": True, "show-inheritance": True, "exclude-members": "training"}
autodoc_inherit_docstrings = False
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
add_module_names = False

mathjax_path = "mathjax/tex-svg.js"

html_theme = "furo"
html_title = "probgen"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_js_files = ["formulas.js"]
html_show_sourcelink = False
html_show_search_summary = False  # a browser fetches summaries from a server only; pages are also read from the disk
html_theme_options = {"navigation_with_keys": True}


def describe_pictures(app, doctree, docname):
    """Give pictures drawn by cells an alternative text: their section, and the sentence before them that introduces them.

    A cell that knows better says so: ``mystnb: {image: {alt: ...}}`` in its metadata.
    """
    for picture in doctree.findall(nodes.image):
        if picture.get("alt"):
            continue
        block = picture
        while not isinstance(block.parent, nodes.section | nodes.document):
            block = block.parent
        before = block.parent.children[: block.parent.index(block)]
        title = next((node.astext() for node in before if isinstance(node, nodes.title)), app.config.project)
        told = [
            node.astext() for node in before if isinstance(node, nodes.paragraph) and not node.astext().startswith("\\square")
        ]
        sentence = re.split(r"(?<=[.:;])\s+(?=[A-Z])", " ".join(told[-1].split()))[-1] if told else ""
        picture["alt"] = f"{title}. {sentence}".strip()


def setup(app):
    """Called by Sphinx."""
    app.connect("doctree-resolved", describe_pictures)
