"""Pages of an agent below its overview: each gathers its rows and makes its charts; None where there is nothing."""

from wealtharena.reporting.pages.agent import AgentPages, PageFacts, Records, gather_pages, page_charts

__all__ = ["AgentPages", "PageFacts", "Records", "gather_pages", "page_charts"]
