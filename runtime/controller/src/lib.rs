//! The driver: sole owner of an Engine, and one executor per effect
