//! The rules that come with the program, used where no folder of rules is configured: the files of `alerts/`.

/// Name and text of each file, in the order of their names.
pub const SHIPPED: &[(&str, &str)] = &[];
