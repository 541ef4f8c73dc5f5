//! What the strict server alone can do: faults, moments, lateness, its clock.

use crate::bench::{client, token, word};
use crate::secrets_manager::server::Server;

#[tokio::test]
async fn a_rotation_as_the_protocol_does_it() {
    let server = Server::start();
    let aws = client(&server.endpoint());
    let created = aws.create_secret().name("s").client_request_token(token(1)).secret_string("one").send().await;
    assert_eq!(word(&created), "ok");
    let put = aws.put_secret_value().secret_id("s").client_request_token(token(2)).secret_string("two");
    assert_eq!(word(&put.version_stages("AWSPENDING").send().await), "ok");
    let promote = aws.update_secret_version_stage().secret_id("s").version_stage("AWSCURRENT");
    let promote = promote.move_to_version_id(token(2)).remove_from_version_id(token(1));
    assert_eq!(word(&promote.send().await), "ok");
    let secret = server.secret("s").unwrap();
    assert_eq!((secret.labelled("AWSCURRENT"), secret.labelled("AWSPREVIOUS")), (Some("two"), Some("one")));
}
