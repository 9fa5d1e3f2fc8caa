//! Go's text/template with the functions Helm registers, on shared mutable values, within fuel and output limits
