"""Settings: frozen models, loaded from profiles, variables and the command line."""

from wealtharena.settings.identity import settings_hash
from wealtharena.settings.loading import CONFIG_FOLDER, load_settings
from wealtharena.settings.models import (
    AgentSettings,
    Algorithm,
    CostSettings,
    CurationSettings,
    FeatureSettings,
    FilesSettings,
    MetaSettings,
    MlflowSettings,
    PrefectSettings,
    PromotionSettings,
    RiskSettings,
    RunSettings,
    Settings,
    SimulatorSettings,
    TrainingSettings,
    VendorsSettings,
    WindowSettings,
)

__all__ = [
    "CONFIG_FOLDER",
    "AgentSettings",
    "Algorithm",
    "CostSettings",
    "CurationSettings",
    "FeatureSettings",
    "FilesSettings",
    "MetaSettings",
    "MlflowSettings",
    "PrefectSettings",
    "PromotionSettings",
    "RiskSettings",
    "RunSettings",
    "Settings",
    "SimulatorSettings",
    "TrainingSettings",
    "VendorsSettings",
    "WindowSettings",
    "load_settings",
    "settings_hash",
]
