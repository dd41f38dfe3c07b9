//! The state folder.
