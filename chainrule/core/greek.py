"""The Greek letters that names are made of, by sign."""

_SIGNS = "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩ"
_NAMES = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau "
    "upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega"
)
GREEK_LETTERS: dict[str, str] = dict(zip(_SIGNS, _NAMES.split(), strict=True))
"""The name of each sign: `θ` is `theta`."""
