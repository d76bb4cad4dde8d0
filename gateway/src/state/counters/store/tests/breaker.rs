use super::super::breaker::Breaker;

/// Calls as they end: `.` answered, `x` failed, `X` failed and the breaker must open. Capitals never come early.
#[test]
fn the_breaker_opens_when_it_says() {
    for calls in [
        "xxxxX",
        "xxxx.xxxxX",
        "....................",
        // Half of the last twenty; an answer never opens it.
        "xx.xx.xx.xx.x.x.....",
        "xx.xx.xx.xx.x......X",
        ".x.x.x.x.x.x.x.x.x.X",
        ".x..x..x..x..x..x..x..x..x..x..x..x..x..x",
        "....................x.x.x.x.x.x.x.x.x.X",
    ] {
        let mut breaker = Breaker::default();
        for (index, call) in calls.chars().enumerate() {
            let failed = call != '.';
            assert_eq!(breaker.record(failed), call == 'X', "{calls} at {index}");
        }
    }
}
