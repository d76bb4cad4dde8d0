//! Sets of bytes: the quick ways to make and read one agree with the plain one.

use super::{ByteSet, TABLE_BYTES_MIN, present};

#[test]
fn finds_the_bytes_present() {
    let all: Vec<u8> = (0..=255).collect();
    let lengths = [0, 1, 7, TABLE_BYTES_MIN - 1, TABLE_BYTES_MIN, 100, 255, 256];
    for (start, length) in (0..256).flat_map(|start| lengths.map(|length| (start, length))) {
        // Every third byte, so that each set has holes.
        let bytes: Vec<u8> = (0..length).map(|at| all[(start + 3 * at) % 256]).collect();
        let set = present(&bytes);
        assert_eq!(set, ByteSet::of(&bytes), "{start} {length}");
        assert_eq!(set.list(&mut [0; 256]), set.iter().collect::<Vec<_>>(), "{start} {length}");
    }
}
