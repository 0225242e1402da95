"""The sentence for each typical mistake."""

from __future__ import annotations

from typing import NamedTuple


class Sentence(NamedTuple):
    """The words for a mistake made once, and throughout.

    `{at}` is the operation, `{inner}` its operand, `{factor}` a local derivative and its value,
    `{path}` a path, `{used}` what the answer has, `{right}` what it should be; `{on}` adds the
    path where there is one. What stands in backquotes is code.
    """

    once: str
    throughout: str = ""


_PRODUCT = "the product rule is `f'*g + f*g'`"
_QUOTIENT = "the quotient rule is `(f'*g - f*g')/g^2`"
_CHAIN = "the chain rule is `f'(g(x))*g'(x)`"

SENTENCES: dict[str, Sentence] = {
    "product of derivatives": Sentence(
        f"{{at}} was differentiated factor by factor, as `f'*g'`; {_PRODUCT}",
        f"products were differentiated factor by factor, as `f'*g'`; {_PRODUCT}",
    ),
    "quotient rule order": Sentence(
        "in the quotient rule for {at} the two products of the numerator are exchanged; "
        + _QUOTIENT,
        f"in quotients the two products of the numerator are exchanged; {_QUOTIENT}",
    ),
    "quotient of derivatives": Sentence(
        f"{{at}} was differentiated as the quotient of the derivatives, `f'/g'`; {_QUOTIENT}",
        f"quotients were differentiated as `f'/g'`; {_QUOTIENT}",
    ),
    "quotient rule sign": Sentence(
        f"in the numerator of the quotient rule for {{at}} stands a plus; {_QUOTIENT}",
        f"in the numerators of the quotient rule stands a plus; {_QUOTIENT}",
    ),
    "denominator not squared": Sentence(
        f"the denominator is not squared in the derivative of {{at}}; {_QUOTIENT}",
        f"denominators are not squared; {_QUOTIENT}",
    ),
    "denominator left out": Sentence(
        f"the denominator is left out in the derivative of {{at}}; {_QUOTIENT}",
        f"denominators are left out; {_QUOTIENT}",
    ),
    "denominator wrong": Sentence(
        f"the denominator of the derivative of {{at}} is not the square of the old one; "
        f"{_QUOTIENT}",
    ),
    "power rule on an exponential": Sentence(
        "the power rule was used on {at}, where the exponent varies and the base does not; "
        "its derivative is `a^u*ln(a)*u'`",
        "the power rule was used on exponentials; the derivative of `a^u` is `a^u*ln(a)*u'`",
    ),
    "power rule on a variable exponent": Sentence(
        "the power rule was used on {at}, whose exponent varies too; take logarithms first: "
        "`ln y = g*ln f`",
    ),
    "exponential rule on a variable base": Sentence(
        "the exponential rule was used on {at}, whose base varies too; take logarithms first: "
        "`ln y = g*ln f`",
    ),
    "exponential rule on a power": Sentence(
        "the rule for exponentials was used on the power {at}; the exponent is constant, so it is "
        "`n*u^(n-1)*u'`",
    ),
    "factor missing": Sentence(
        "the factor {factor} is missing from the path {path}",
        "the derivatives of the inner functions are missing throughout; " + _CHAIN,
    ),
    "inner function differentiated": Sentence(
        f"in the derivative of {{at}} the inner function {{inner}} was replaced by its "
        f"derivative; {_CHAIN}",
        f"inner functions were replaced by their derivatives; {_CHAIN}",
    ),
    "inner function lost": Sentence(
        f"the derivative of the outer function of {{at}} stands at the variable instead of at "
        f"{{inner}}; {_CHAIN}",
        f"the derivatives of outer functions stand at the variable; {_CHAIN}",
    ),
    "derivative moved inside": Sentence(
        f"in {{at}} only the inside {{inner}} was differentiated, where it stands; {_CHAIN}",
        f"only the insides were differentiated, where they stand; {_CHAIN}",
    ),
    "outer function kept": Sentence(
        "the outer function of {at} was not differentiated; the derivative is {right}",
        f"outer functions were not differentiated; {_CHAIN}",
    ),
    "inner function as factor": Sentence(
        f"in the derivative of {{at}} the factor is {{inner}} itself, not its derivative; {_CHAIN}",
        f"the factors are the inner functions themselves, not their derivatives; {_CHAIN}",
    ),
    "function as factor": Sentence(
        "the derivative of {at} is multiplied by the function itself once more",
    ),
    "derivatives added": Sentence(
        "derivatives were added for {at} that belong multiplied: it is {right}, not {used}",
    ),
    "summands multiplied": Sentence(
        f"the two parts of the product rule for {{at}} were multiplied; {_PRODUCT}",
    ),
    "exponent not lowered": Sentence(
        "the exponent of {at} was not lowered by 1; the power rule is `n*u^(n-1)*u'`",
        "exponents were not lowered by 1; the power rule is `n*u^(n-1)*u'`",
    ),
    "coefficient not brought down": Sentence(
        "the exponent of {at} was not brought down as a factor; the power rule is `n*u^(n-1)*u'`",
        "exponents were not brought down as factors; the power rule is `n*u^(n-1)*u'`",
    ),
    "coefficient lowered": Sentence(
        "the factor brought down from {at} is the exponent less 1, not the exponent; the power "
        "rule is `n*u^(n-1)*u'`",
    ),
    "exponent wrong way": Sentence(
        "the exponent of the derivative of {at} is wrong: it is the old one less 1, also where "
        "that is negative or a fraction; the derivative is {right}",
    ),
    "exponent too low": Sentence(
        "the exponent of {at} was lowered by 2; the power rule is `n*u^(n-1)*u'`",
    ),
    "exponent dropped": Sentence(
        "the exponent of {at} was brought down and then lost; the power rule is `n*u^(n-1)*u'`",
    ),
    "base of the logarithm": Sentence(
        "the constant from the base is lost in the derivative of {at}: it is {right}",
        "the constants from the bases are lost: `(a^u)' = a^u*ln(a)*u'`, "
        "`log_a(u)' = u'/(u*ln(a))`",
    ),
    "base misplaced": Sentence(
        "the logarithm of the base is on the wrong side of the fraction in the derivative of "
        "{at}: it is {right}",
    ),
    "inverse read as reciprocal": Sentence(
        "{at} was differentiated as 1 over the function, but it is the inverse function; the "
        "derivative is {right}",
    ),
    "reciprocal of the logarithm": Sentence(
        "the derivative of {at} was taken as 1 over the logarithm; it is 1 over its argument",
    ),
    "absolute value dropped": Sentence(
        "the absolute value {at} was dropped; its derivative has the sign of the inside",
    ),
    "constant kept": Sentence(
        "a constant term was kept; the derivative of a constant is 0",
    ),
    "constant differentiated to 1": Sentence(
        "the derivative of a constant was taken as 1; it is 0",
    ),
    "constant factor lost": Sentence(
        "the constant factor of {at} is lost; the derivative is {right}",
    ),
    "constant factor twice": Sentence(
        "the constant factor of {at} was used twice, or on the wrong side of the fraction; the "
        "derivative is {right}",
    ),
    "constant factor to zero": Sentence(
        "{at} was taken as a constant; a constant factor stays: the derivative is {right}",
    ),
    "sign of a derivative": Sentence(
        "the sign is wrong in the derivative of {at}{on}: it is {right}",
        "the signs of the derivatives of the functions are wrong throughout",
    ),
    "sign between terms": Sentence(
        "a sign between the derivatives of the terms of {at} is wrong: it is {right}",
    ),
    "sign in the product rule": Sentence(
        f"the product rule for {{at}} has a plus, not a minus: {_PRODUCT}",
    ),
    "sign": Sentence("a sign is wrong{on}: the answer has a part with the opposite sign"),
    "wrong pairing": Sentence(
        "in the rule for {at} each function meets its own derivative, instead of the other's",
    ),
    "term left out": Sentence(
        "the derivative of a term of {at} is left out: it is {right}, not {used}",
    ),
    "term not differentiated": Sentence(
        "a term of {at} was not differentiated: its derivative is {right}, not {used}",
    ),
    "path left out": Sentence(
        "a path is left out: {at} varies through each of its operands, so its derivative is "
        "{right}, not {used}",
    ),
    "wrong derivative": Sentence(
        "the derivative of {at} is {right}, not {used}",
        "a function was differentiated wrongly throughout",
    ),
    "integrated": Sentence("this is an antiderivative: it was integrated instead"),
    "function itself": Sentence("this is the function itself, not its derivative"),
    "differentiated twice": Sentence("this is the derivative of the derivative"),
    "reciprocal": Sentence("this is 1 over the derivative: numerator and denominator exchanged"),
    "constant factor": Sentence("the answer is {used} times the derivative"),
    "constant offset": Sentence("the answer exceeds the derivative by the constant {used}"),
    "rounded": Sentence("a constant in the answer is rounded; write it exactly"),
    "degrees": Sentence(
        "angles were taken in degrees; the derivatives of the trigonometric functions are for "
        "radians",
    ),
    "other variable": Sentence("this is the derivative by {at}"),
    "partial derivatives added": Sentence(
        "the partial derivatives by all the variables were added up; each is an entry of its own",
    ),
    "renamed": Sentence("the answer uses {at}; the variable is {inner}"),
    "not substituted": Sentence("right if {at} stands for {inner}; put it back"),
    "unknown name": Sentence("the answer uses {at}, which does not occur in the question"),
    "undefined": Sentence("the answer has no real value where the derivative exists"),
    "transposed gradient": Sentence("this is the transpose of the gradient"),
    "transpose missing": Sentence("{at} has to be transposed in the answer"),
    "transposed too much": Sentence("{at} stands in the answer where it is not to be transposed"),
    "factors exchanged": Sentence(
        "the factors of {at} are exchanged; a matrix product depends on their order",
    ),
    "sum missing": Sentence(
        "a sum is missing: {at} takes part in every entry, so what comes back from them adds up",
    ),
    "diagonal for a matrix": Sentence(
        "this is only the diagonal; the Jacobian is the diagonal matrix with these entries",
    ),
    "mean forgotten": Sentence("the factor {right} of the mean is missing"),
    "opposite sign": Sentence("the sign is turned: this is the negative of the derivative"),
    "factor of the whole": Sentence(
        "the answer is {used} times the derivative: the factor {right} is missing",
    ),
    "part left out": Sentence(
        "a part is left out: {at} also varies through {inner}",
    ),
    "part twice": Sentence("{at} varies through {inner} twice, and the two parts add up"),
    "stopped early": Sentence(
        "this is the derivative by {at}; the factor that leads on to {inner} is missing",
    ),
    "sign of a part": Sentence("the sign is wrong in the derivative of {at} by {inner}"),
    "derivative left out": Sentence(
        "the derivative of {at} by {inner} was left out as a factor",
    ),
    "transpose forgotten": Sentence(
        "in the derivative of {at} by {inner} stands {used} for {right}",
    ),
    "factor on the wrong side": Sentence(
        "in the derivative of {at} by {inner} the factor {right} stands on the wrong side",
    ),
    "misfit": Sentence("the shapes in the answer do not fit each other"),
    "array shape": Sentence("the answer does not have the shape of the result"),
    "reading": Sentence(
        "as typed this is read as {at}; with brackets it would be right: {right}",
    ),
    "shape": Sentence("the answer does not have as many entries as the result"),
    "transposed": Sentence("the answer is the transpose of the result in this layout"),
    "order of entries": Sentence("the entries are right, but in another order"),
}
