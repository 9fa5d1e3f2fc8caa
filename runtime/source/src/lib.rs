//! Git through gix: object database only, no work tree, no child process, keyed by tree id
