//! What woke a rule is chosen while it is walked, and nothing else.

use super::Origins;
use crate::engine::buffers::{Buffer, Buffers};

#[test]
fn chooses_what_woke_a_place() {
    let mut buffers = Buffers::begin(Buffers::default(), 1);
    let values: Vec<Buffer> = (0..200_u32).map(|n| buffers.intern(&n.to_be_bytes())).collect();
    let mut origins = Origins::default();
    // The second time in used memory.
    for _ in 0..2 {
        origins.begin(3);
        for (place, value) in [(1, 7), (1, 7), (2, 9), (1, 150), (1, 7), (2, 150)] {
            origins.note(place, values[value]);
        }
        for (place, expected) in [(0, vec![]), (1, vec![7, 150]), (2, vec![9, 150])] {
            let chosen = |origins: &Origins| -> Vec<usize> {
                (0..values.len()).filter(|at| origins.is_chosen(values[*at])).collect()
            };
            origins.choose(place);
            assert_eq!(chosen(&origins), expected, "place {place}");
            origins.release(place);
            assert!(chosen(&origins).is_empty(), "place {place}, released");
        }
    }
}
