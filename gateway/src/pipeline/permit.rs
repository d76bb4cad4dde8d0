//! The proof that every stage agreed. The upstream cannot be reached without one, and nobody else can make one.

/// Made by [`super::permit`] alone.
#[derive(Debug)]
pub struct Permit {
    _made_here: (),
}

impl Permit {
    pub(super) fn issue() -> Permit {
        Permit { _made_here: () }
    }
}
