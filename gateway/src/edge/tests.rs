//! What the framework is told of a service.

use std::time::Duration;

use pingora::protocols::ALPN;
use serde_json::{Value, json};

use super::peer::framework_peer;
use crate::base::bounds;
use crate::base::clock::Now;
use crate::base::compile::Compile;
use crate::stages::upstream::{ServicePlan, Tried};
use crate::state::endpoints::Endpoints;

#[test]
fn every_wait_for_a_service_has_the_end_that_is_written() {
    let now = Now::read();
    let plan = |timeouts: Value| {
        let section =
            json!({ "endpoints": ["127.0.0.1:1"], "timeouts": timeouts, "protocol": "h2" });
        let section = serde_json::from_value(section).unwrap();
        ServicePlan::compile("web", &section, &mut Compile::new(), &Endpoints::new(now)).unwrap()
    };
    let second = Duration::from_secs;
    let written = json!({ "connect": "2s", "response": "3s", "idle": "4s" });
    for (timeouts, [connect, response, idle]) in [(json!({}), [1, 30, 60]), (written, [2, 3, 4])] {
        let plan = plan(timeouts);
        let target = framework_peer(&plan.pick(&Tried::new(), now).unwrap());
        let options = target.options;
        assert_eq!(options.connection_timeout, Some(second(connect)));
        assert_eq!(options.total_connection_timeout, Some(second(2 * connect)));
        assert_eq!(options.read_timeout, Some(second(response)));
        assert_eq!(options.write_timeout, Some(second(response)));
        assert_eq!(options.idle_timeout, Some(second(idle)));
        assert_eq!(options.max_h2_streams, bounds::UPSTREAM_HTTP2_STREAMS);
        assert_eq!(options.alpn, ALPN::H2);
    }
}
