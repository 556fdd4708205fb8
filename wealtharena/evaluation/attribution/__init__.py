"""Attribution: where a result came from; the parts of each dimension add up to the whole."""

from wealtharena.evaluation.attribution.attribution import Attribution, attribute
from wealtharena.evaluation.attribution.factors import Exposure, FactorModel, factor_model, factor_returns

__all__ = ["Attribution", "Exposure", "FactorModel", "attribute", "factor_model", "factor_returns"]
