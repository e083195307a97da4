"""Working with other libraries: Hugging Face's `diffusers`, both ways. It need not be installed for the rest."""

from .diffusers import as_coder, as_denoiser, as_pipeline_parts

__all__ = ["as_coder", "as_denoiser", "as_pipeline_parts"]
