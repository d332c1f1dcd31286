//! Users' templates, sandboxed; SMS segments.
