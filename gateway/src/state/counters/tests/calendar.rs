use crate::base::units::Window;

use super::super::calendar::window;
use super::model::month_by_counting;

const DAY_US: u64 = 86_400_000_000;

#[test]
fn months_are_those_of_the_calendar() {
    for day in 0..60_000 {
        let (month, end) = month_by_counting(day);
        for moment in [day * DAY_US, (day + 1) * DAY_US - 1] {
            let found = window(Window::Month, moment);
            assert_eq!(
                (found.number, found.end_us),
                (1970 * 12 + month, end * DAY_US),
                "day {day}"
            );
        }
    }
}

#[test]
fn hours_and_days_end_where_the_next_begins() {
    for (kind, length) in [(Window::Hour, DAY_US / 24), (Window::Day, DAY_US)] {
        let before = window(kind, 7 * length - 1);
        let after = window(kind, 7 * length);
        assert_eq!((before.number, before.end_us), (6, 7 * length));
        assert_eq!(after.number, 7);
    }
}
