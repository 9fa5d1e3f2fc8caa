//! Tests over the whole project: tidy, purity, vectors, conformance, end to end, benchmarks
