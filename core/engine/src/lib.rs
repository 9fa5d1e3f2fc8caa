//! The sync engine: events in, effects out; plan, machines, guards, comparison, health and the journal
