//! What a picture may cost.

/// What the link can take, as far as it is known. The default has no bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// About so many bytes. What does not fit stays behind and comes with the next picture.
    pub bytes: Option<usize>,
    /// The link's rate in bytes a second: how much work a byte less is worth.
    pub rate: Option<u64>,
}
