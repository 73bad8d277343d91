//! Guards layering and style; tests only.
