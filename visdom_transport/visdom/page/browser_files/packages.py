"""Which npm packages the pages of each known Visdom need, and what is taken from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True, slots=True)
class Package:
    """An npm package and what is taken from it: path in the package -> path below `static/`.

    A path that ends in a slash takes the tree below it. Trees hold what a page may load later; a page can do without.
    """

    name: str
    version: str
    integrity: str
    """SHA-512 of the tarball, in the notation of package locks."""
    files: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"

    @property
    def required(self) -> list[str]:
        """Paths below `static/` without which a page is not complete."""
        return [target for target in self.files.values() if not target.endswith("/")]

    def target(self, member: str) -> str | None:
        """Where a file of the tarball goes, or None if it is not used."""
        parts = PurePosixPath(member).parts[1:]  # the first part is "package"
        if ".." in parts:
            return None
        inside = "/".join(parts)
        if inside in self.files:
            return self.files[inside]
        for source, target in self.files.items():
            if source.endswith("/") and inside.startswith(source):
                return target + inside[len(source) :]
        return None


_FONT = "glyphicons-halflings-regular"

# MathJax loads what a formula needs when it meets it: hence its trees.
_MATHJAX_2_FILES = ("MathJax.js", "config/TeX-AMS-MML_HTMLorMML.js", "config/Safe.js", "extensions/Safe.js")
_MATHJAX_2_TREES = ("extensions/", "fonts/HTML-CSS/TeX/woff/", "jax/")
_MATHJAX_3_FILES = ("es5/tex-mml-svg.js",)
_MATHJAX_3_TREES = ("es5/a11y/", "es5/input/", "es5/output/", "es5/sre/", "es5/ui/")

_BOTH = (
    Package(
        "layout-bin-packer",
        "1.4.0",
        "sha512-dQOZnajbOBGIcS9YlzKrkRtMCGa2oEpyf1zGRn93suphSvPclJe54Sbgtb053GJ21DUk84IBzaeQvjn+Gb10fA==",
        {
            "dist/layout-bin-packer.js": "js/layout_bin_packer.js",
            "dist/layout-bin-packer.js.map": "js/layout-bin-packer.js.map",
        },
    ),
    Package(
        "jquery",
        "3.1.1",
        "sha512-zuiWRmx65Kd1oFGdWLvAjbsumdOBFvs3r1vuqCyKFF79R7exBHNbiNEJ8LR+xkzgfxqBznMD/4Cv6PHXS6mvEw==",
        {"dist/jquery.min.js": "js/jquery.min.js"},
    ),
    Package(
        "bootstrap",
        "3.3.7",
        "sha512-qcFaisBrcBhTFkz1IUnGDYnX6ZWfFzH8zOixUDtHW9Ip+r+7MfMFav2rzy7cIHc7rgIg7xjhWBoo1mS/U26j4g==",
        {
            "dist/js/bootstrap.min.js": "js/bootstrap.min.js",
            "dist/css/bootstrap.min.css": "css/bootstrap.min.css",
            f"dist/fonts/{_FONT}.woff2": f"fonts/{_FONT}.woff2",
            f"dist/fonts/{_FONT}.woff": f"fonts/{_FONT}.woff",
            f"dist/fonts/{_FONT}.ttf": f"fonts/{_FONT}.ttf",
            "dist/fonts/": "fonts/",
        },
    ),
    Package(
        "react",
        "16.2.0",
        "sha512-ZmIomM7EE1DvPEnSFAHZn9Vs9zJl5A9H7el0EGTE6ZbW9FKe/14IYAlPbC8iH25YarEQxZL+E8VW7Mi7kfQrDQ==",
        {"umd/react.production.min.js": "js/react-react.min.js"},
    ),
    Package(
        "react-dom",
        "16.2.0",
        "sha512-zpGAdwHVn9K0091d+hr+R0qrjoJ84cIBFL2uU60KvWBPfZ7LPSrfqviTxGHWN0sjPZb2hxWzMexwrvJdKePvjg==",
        {"umd/react-dom.production.min.js": "js/react-dom.min.js"},
    ),
    Package(
        "plotly.js-dist-min",
        "2.11.1",
        "sha512-F9WWNht0D3yBLZGHbLoJNfvplXvy+GUPSsA/lCbMuYd/UwzSu6Vmyprxlps9Einw1LDS1hYBrJeioK0lE3ieXA==",
        {"plotly.min.js": "js/plotly-plotly.min.js"},
    ),
    Package(
        "sjcl",
        "1.0.7",
        "sha512-xQbiwKfiAj6vyk44ANJ5RRymALRdRZOuRoKNYkWUU404p/RFXmMaay1Z5vRn30GJjkD+psox4Jd38jZojSuNYA==",
        {"sjcl.js": "js/sjcl.js"},
    ),
    Package(
        "d3",
        "3.5.17",
        "sha512-yFk/2idb8OHPKkbAL8QaOaqENNoMhIaSHZerk3oQsECwkObkCpJyjYwCe+OHiq6UEdhe1m8ZGARRRO3ljFjlKg==",
        {"d3.min.js": "js/d3.v3.min.js"},
    ),
    Package(
        "d3-selection-multi",
        "1.0.1",
        "sha512-mEnRkJ6A+Otd1LuRPV3az+s/RLDmIEhuz/MnT21O2nPcWNH7wZotdIlRjMA4Wpr+n7AESQ5fD8v1J3nL2Mnw9g==",
        {"build/d3-selection-multi.js": "js/d3-selection-multi.v1.js"},
    ),
    Package(
        "save-svg-as-png",
        "1.4.17",
        "sha512-7QDaqJsVhdFPwviCxkgHiGm9omeaMBe1VKbHySWU6oFB2LtnGCcYS13eVoslUgq6VZC6Tjq/HddBd1K6p2PGpA==",
        {"lib/saveSvgAsPng.js": "js/saveSvgAsPng.js"},
    ),
)

_V0_2_4 = (
    *_BOTH,
    Package(
        "react-resizable",
        "1.4.6",
        "sha512-4zLORO51u0/mlDsrVCAA4p266d+3mb2ZMNdiWOotAh/PdnfrRzZhgePmKE08PSQatXVIfMjmyD+Sapay8tmxdQ==",
        {"css/styles.css": "css/react-resizable-styles.css"},
    ),
    Package(
        "react-grid-layout",
        "0.16.3",
        "sha512-ytP92EqUjqcFhGzvdeKrK610dQ04GdFwRCWtD6PoeL5wR3liETcFISO7k8RBqnosV86JtXf/DwIfrL0COLs0gg==",
        {"css/styles.css": "css/react-grid-layout-styles.css"},
    ),
    Package(
        "mathjax",
        "2.7.5",
        "sha512-OzsJNitEHAJB3y4IIlPCAvS0yoXwYjlo2Y4kmm9KQzyIBZt2d8yKRalby3uTRNN4fZQiGL2iMXjpdP1u2Rq2DQ==",
        {path: f"js/mathjax/2.7.5/{path}" for path in (*_MATHJAX_2_FILES, *_MATHJAX_2_TREES)},
    ),
)

_V0_3_0 = (
    *_BOTH,
    Package(
        "react-resizable",
        "3.1.3",
        "sha512-liJBNayhX7qA4tBJiBD321FDhJxgGTJ07uzH5zSORXoE8h7PyEZ8mLqmosST7ppf6C4zUsbd2gzDMmBCfFp9Lw==",
        {"css/styles.css": "css/react-resizable-styles.css"},
    ),
    Package(
        "react-grid-layout",
        "2.2.3",
        "sha512-OAEJHBxmfuxQfVtZwRzmsokijGlBgzYIJ7MUlLk/VSa43SaGzu15w5D0P2RDrfX5EvP9POMbL6bFrai/huDzbQ==",
        {"css/styles.css": "css/react-grid-layout-styles.css"},
    ),
    Package(
        "mathjax",
        "3.2.2",
        "sha512-Bt+SSVU8eBG27zChVewOicYs7Xsdt40qm4+UpHyX7k0/O9NliPc+x77k1/FEsPsjKPZGJvtRZM1vO+geW0OhGw==",
        {path: f"js/mathjax/3.2.2/{path}" for path in (*_MATHJAX_3_FILES, *_MATHJAX_3_TREES)},
    ),
)

#: What each known Visdom's pages need.
PACKAGES: Mapping[str, tuple[Package, ...]] = {"0.2.4": _V0_2_4, "0.3.0": _V0_3_0, "m23": _V0_2_4}

#: Whose folder holds the files of a Visdom that needs the same as another.
FOLDERS: Mapping[str, str] = {"m23": "0.2.4"}
