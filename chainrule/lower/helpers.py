"""Functions that NumPy does not have, as text for the generated module.

Each is vectorised, keeps the dtype of its argument, and stands in the module only where it
is called. The Chebyshev coefficients were computed with mpmath at 40 digits; the error of
`_erf` and `_erfc` is below 2e-15 relative.
"""

from __future__ import annotations

from collections.abc import Sequence

_ERF = '''
def _erf(x: Any) -> Any:
    """The error function, by a Chebyshev series in x^2 where x is small."""
    z = np.asarray(x, np.float64)
    square = np.minimum(np.abs(z), 1.0) ** 2
    coefficients = np.array(ERF_NEAR.split(), float)
    series = np.polynomial.chebyshev.chebval(2 * square - 1, coefficients)
    found = np.where(np.abs(z) < 1, z * series, np.sign(z) * (1 - _erfc(np.abs(z))))
    return found.astype(np.asarray(x).dtype)[()]
'''
_ERFC = '''
ERF_NEAR = (
    "0.9754769393826541 -0.14226120510371364 0.010035582187599796 -5.7687646997674848e-4"
    " 2.7419931252196061e-5 -1.1043175507344508e-6 3.8488755420345037e-8"
    " -1.1808582533875467e-9 3.233421582605091e-11 -7.9910159470045488e-13"
    " 1.7990725113961456e-14 -3.7186354878186926e-16 7.103599003714253e-18"
)
ERF_FAR = (
    "1.1775789345674018 -0.0045900545806464773 -0.084249133366517916 0.05920993999819189"
    " -0.026658668435305752 0.0090749976707052651 -0.0024131635404176082"
    " 4.9077583652580863e-4 -6.9169733025012064e-5 4.1390279860730102e-6"
    " 7.7403830661984907e-7 -2.1886401049234396e-7 1.076499946567091e-8"
    " 4.5219598112182869e-9 -7.7544002088313511e-10 -6.3180883408866845e-11"
    " 2.8687950109306699e-11 1.9455868545777347e-13 -9.6546967484334389e-13"
    " 3.2525481481487398e-14 3.3478119482868054e-14 -1.8645628804193131e-15"
    " -1.2507950530688647e-15 7.4182352566240434e-17 5.0681489047961113e-17"
)


def _erfc(x: Any) -> Any:
    """1 - erf(x) without cancellation: (1 + 2x) exp(x^2) erfc(x) as a Chebyshev series."""
    z = np.asarray(x, np.float64)
    a = np.minimum(np.abs(z), 27.0)
    coefficients = np.array(ERF_FAR.split(), float)
    series = np.polynomial.chebyshev.chebval((a - 3.75) / (a + 3.75), coefficients)
    tail = series * np.exp(-a * a) / (1 + 2 * a)
    return np.where(z < 0, 2 - tail, tail).astype(np.asarray(x).dtype)[()]
'''
_GAMMA = '''
def _gamma(x: Any) -> Any:
    """The gamma function: Stirling's series beyond 12, reflection below 1/2 (DLMF 5.11.1)."""
    z = np.asarray(x, np.float64)
    y = np.where(z < 0.5, 1 - z, z)
    product = np.ones_like(y)
    for _ in range(12):
        product = np.where(y < 12, product * y, product)
        y = np.where(y < 12, y + 1, y)
    s = 1 / y**2
    tail = 1 / 1188 - s * 691 / 360360
    series = (1 / 12 - s * (1 / 360 - s * (1 / 1260 - s * (1 / 1680 - s * tail)))) / y
    half = np.exp(0.5 * (y - 0.5) * np.log(y))
    rest = np.exp(np.maximum(series - y, -700))  # inf * 0 would be nan
    found = np.sqrt(2 * np.pi) * half * rest * half / product
    whole = np.round(z)
    sine = np.where(whole % 2 == 0, 1.0, -1.0) * np.sin(np.pi * (z - whole))
    below = np.pi / (np.where(z < 0.5, sine, 1.0) * found)
    return np.where(z < 0.5, below, found).astype(np.asarray(x).dtype)[()]
'''
_POLYGAMMA = '''
def _polygamma(n: int, x: Any) -> Any:
    """The derivative of order n of digamma: asymptotic (DLMF 5.15.8), reflected (5.15.6)."""
    z = np.asarray(x, np.float64)
    y = np.where(z < 0, 1 - z, z)
    found, sign = np.zeros_like(y), (-1.0) ** (n + 1)
    factorial = float(np.prod(np.arange(1.0, n + 1)))
    while np.any(y < n + 16):
        low = y < n + 16
        step = 1 / np.where(low, y, 1.0) ** (n + 1)
        found = found + np.where(low, sign * factorial * step, 0.0)
        y = np.where(low, y + 1, y)
    main = -np.log(y) if n == 0 else factorial / (n * y**n)
    total = main + factorial / (2 * y ** (n + 1))
    b = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)
    for k, c in enumerate(b, 1):
        rising = float(np.prod(np.arange(2 * k + 1.0, 2 * k + n))) if n else 1 / (2 * k)
        total = total + c * rising / y ** (2 * k + n)
    found = found + sign * total
    cot = 1 / np.tan(np.pi * np.where(z < 0, z - np.round(z), 0.25))
    powers = [0.0, 1.0]  # of cot, in its derivative of order n
    for _ in range(n):
        lower = [k * p for k, p in enumerate(powers)][1:]
        both = zip([*lower, 0.0, 0.0], [0.0, 0.0, *lower], strict=True)
        powers = [-np.pi * (p + q) for p, q in both]
    slope = powers.pop() * cot
    for p in powers[:0:-1]:
        slope = (slope + p) * cot
    reflected = (-1.0) ** n * found - np.pi * (slope + powers[0])
    return np.where(z < 0, reflected, found).astype(np.asarray(x).dtype)[()]
'''
_EXPM = '''
def _expm(a: Any) -> Any:
    """The matrix exponential: Padé approximant of order 13, scaled and squared (Higham 2005)."""
    m = np.asarray(a, np.float64)
    norm = float(np.abs(m).sum(axis=0).max(initial=0.0))
    if not np.isfinite(norm):
        return np.full_like(a, np.nan)
    squarings = max(0, int(np.ceil(np.log2(max(norm, 1e-300) / 5.37))))
    m, b = m / 2.0**squarings, [1.0]
    for k in range(1, 14):
        b.append(b[-1] * (14 - k) / (k * (27 - k)))
    power, even, odd = np.eye(len(m)), np.zeros_like(m), np.zeros_like(m)
    for k in range(0, 14, 2):
        even, odd = even + b[k] * power, odd + b[k + 1] * power
        power = power @ m @ m
    found = np.linalg.solve(even - m @ odd, even + m @ odd)
    for _ in range(squarings):
        found = found @ found
    return found.astype(np.asarray(a).dtype)
'''
_EXPM_FRECHET = '''
def _expm_frechet(a: Any, e: Any) -> Any:
    """The derivative of the matrix exponential along e: a block of that of [[a, e], [0, a]]."""
    n = len(a)
    return _expm(np.block([[a, e], [np.zeros_like(a), a]]))[:n, n:]
'''
_XLOGY = '''
def _xlogy(x: Any, y: Any) -> Any:
    """x ln(y), and 0 where x is 0."""
    return x * np.log(np.where(x == 0, 1, y))
'''
_RATIO = '''
def _ratio(x: Any, y: Any) -> Any:
    """x/y, and 0 where x is 0."""
    return x / np.where(x == 0, 1, y)
'''
_INVERSE = '''
def _inverse(x: Any) -> Any:
    """1/x, and 0 at 0."""
    return np.where(x == 0, 0, 1 / np.where(x == 0, 1, x))
'''

_TEXTS = {
    "_erf": _ERF, "_erfc": _ERFC, "_gamma": _GAMMA, "_polygamma": _POLYGAMMA, "_expm": _EXPM,
    "_expm_frechet": _EXPM_FRECHET, "_xlogy": _XLOGY, "_ratio": _RATIO, "_inverse": _INVERSE,
}  # fmt: skip
_NEEDS = {"_erf": ("_erfc",), "_expm_frechet": ("_expm",)}

TEMPLATES = {
    "erf": "_erf({0})", "erfc": "_erfc({0})", "gamma": "_gamma({0})",
    "digamma": "_polygamma(0, {0})", "polygamma": "_polygamma({0}, {1})",
    "expm": "_expm({0})", "expm_frechet": "_expm_frechet({0}, {1})",
}  # fmt: skip
"""What stands for the rows of the table that call a library other than NumPy."""


def helper_texts(texts: Sequence[str]) -> list[str]:
    """The functions that the texts call, each after those that it calls itself."""
    called = [name for name in _TEXTS if any(f"{name}(" in text for text in texts)]
    needed = dict.fromkeys(n for name in called for n in (*_NEEDS.get(name, ()), name))
    return [_TEXTS[name].strip("\n") for name in needed]
