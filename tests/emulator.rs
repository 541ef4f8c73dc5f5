//! The emulator, seen from the wire: what it refuses, what it keeps, and what goes wrong on demand.

#[cfg(test)]
#[path = "emulator/harness.rs"]
mod harness;

#[cfg(test)]
#[path = "emulator/errors.rs"]
mod errors;

#[cfg(test)]
#[path = "emulator/offer.rs"]
mod offer;

#[cfg(test)]
#[path = "emulator/rights.rs"]
mod rights;

#[cfg(test)]
#[path = "emulator/xml.rs"]
mod xml;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::SignedDuration;
    use ncloud_rotator::domain::secret::Keys;
    use ncloud_rotator::domain::signature::{ACCESS_KEY_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER};
    use ncloud_rotator::emulator::{Emulator, demo_keys};
    use ncloud_rotator::ports::clock::Clock as _;
    use rstest::rstest;
    use serde_json::{Value, json};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::harness::{Bench, Request, START_DATE, read_answer, settings};

    const POLICY: &str = "/api/v1/tenant-settings/sub-account-password-policy";
    const ALIAS: &str = "/api/v1/login-alias";
    const RESET: &str = "/api/v2/accounts/resetPassword";
    const LIST: &str = "/api/v1/sub-accounts";

    #[tokio::test]
    async fn a_request_signed_by_the_official_signers_is_served() {
        let bench = Bench::start().await;
        let request = Request::new("GET", ALIAS, None)
            .header(TIMESTAMP_HEADER, "1763752800001")
            .header(ACCESS_KEY_HEADER, "D78BB444D6D3C84CA38A")
            .header(SIGNATURE_HEADER, "8YAOyLnQjaJSolt0S68O6e7VkHuJVuBwE/0xtG/d0zk=");
        let answer = bench.send(&request).await.unwrap();
        assert_eq!((answer.status, answer.json()), (200, json!({ "loginAlias": "sample" })));
    }

    #[tokio::test]
    async fn requests_that_the_gateway_refuses() {
        let bench = Bench::start().await;
        let password = format!("/api/v1/sub-accounts/{}/password", bench.id("svc-batch").await);
        let change = || json!({ "needPasswordGenerate": false, "newPassword": "Fresh-Pw7" });
        let put = |body: Value| bench.signed("PUT", &password, Some(body));
        let get = |target: &str| bench.signed("GET", target, None);
        let reset = |body: Value| bench.signed("POST", RESET, Some(body));
        let other = Keys::new(demo_keys().expose_access().into(), "another secret".into());
        let cases = [
            ("unknown path", get("/api/v1/sub-account"), 404, "300"),
            ("trailing slash", get("/api/v1/login-alias/"), 404, "300"),
            ("root, unsigned", Request::new("GET", "/", None), 404, "300"),
            ("wrong method", bench.signed("DELETE", LIST, None), 405, "-"),
            ("GET of a Data Forest call", get(RESET), 405, "-"),
            ("unsigned", Request::new("GET", LIST, None), 401, "200"),
            ("no time", get(LIST).header(TIMESTAMP_HEADER, ""), 401, "200"),
            ("no access key", get(LIST).header(ACCESS_KEY_HEADER, ""), 401, "200"),
            ("no signature", get(LIST).header(SIGNATURE_HEADER, ""), 401, "200"),
            ("other access key", get(LIST).header(ACCESS_KEY_HEADER, "D78BB444D6D3C84CA38B"), 401, "200"),
            ("other secret key", Request::new("GET", LIST, None).sign(&other, bench.clock.wall()), 401, "200"),
            ("other query", Request { target: format!("{LIST}?page=1"), ..get(LIST) }, 401, "200"),
            ("other method", Request { method: "POST".into(), ..get(POLICY) }, 401, "200"),
            ("no content type", put(change()).header("content-type", ""), 415, "-"),
            ("form content type", put(change()).header("content-type", "text/plain"), 415, "-"),
            ("body too large", put(change()).body(&vec![b' '; 70_000]), 413, "430"),
            ("no body", put(change()).body(b""), 400, "100"),
            ("cut body", put(change()).body(b"{\"needPasswordGenerate\":false,"), 400, "100"),
            ("a list", put(json!([])), 400, "100"),
            ("no needPasswordGenerate", put(json!({ "newPassword": "Fresh-Pw7" })), 400, "100"),
            ("no newPassword", put(json!({ "needPasswordGenerate": false })), 400, "100"),
            ("a number for a password", put(json!({ "needPasswordGenerate": false, "newPassword": 7 })), 400, "100"),
            ("Data Forest, cut body", reset(json!({})).body(b"{"), 400, "-"),
            ("Data Forest, no password", reset(json!({ "id": "x" })), 400, "-"),
            ("Data Forest, no body", bench.signed("POST", "/api/v2/accounts/getList", None), 400, "-"),
        ];
        for (what, request, status, code) in cases {
            let answer = bench.send(&request).await.unwrap();
            assert_eq!((answer.status, answer.code().as_str()), (status, code), "{what}: {answer:?}");
            assert_eq!(answer.all("date"), [START_DATE], "{what}");
        }
        assert_eq!(bench.account("svc-batch").await["changes"], 0);
        let wrong_method = bench.send(&bench.signed("DELETE", ALIAS, None)).await.unwrap();
        assert_eq!(wrong_method.all("allow"), ["GET, PUT"]);
    }

    #[rstest]
    #[case::sub_account_unknown("PUT", "/api/v1/sub-accounts/6d14a197-0000-0000-0000-000000000000/password",
        Some(json!({ "needPasswordGenerate": false, "newPassword": "Fresh-Pw7" })), 401, json!({ "errorCode": 30, "message": "Nonexistent account" }))]
    #[case::sub_account_unknown_detail("GET", "/api/v1/sub-accounts/svc-batch", None, 401, json!({ "errorCode": 30, "message": "Nonexistent account" }))]
    #[case::data_forest_unknown("POST", RESET, Some(json!({ "id": "df001", "password": "Fresh-Pw7" })), 404, json!({ "message": "no such element", "success": false }))]
    #[case::data_forest_unknown_detail("POST", "/api/v2/accounts/getDetail", Some(json!({ "id": "" })), 404, json!({ "message": "no such element", "success": false }))]
    #[case::not_found("GET", "/api", None, 404, json!({ "error": { "errorCode": "300", "message": "Not Found Exception", "details": "URL not found." } }))]
    #[tokio::test]
    async fn refusals_in_the_words_of_who_refuses(
        #[case] method: &str,
        #[case] target: &str,
        #[case] body: Option<Value>,
        #[case] status: u16,
        #[case] expected: Value,
    ) {
        let answer = Bench::start().await.call(method, target, body).await;
        assert_eq!((answer.status, answer.json()), (status, expected));
    }

    #[tokio::test]
    async fn a_signature_lasts_for_its_lifetime_in_the_gateways_own_time() {
        let bench = Bench::with(|settings| settings.signature_lifetime = SignedDuration::from_secs(60)).await;
        for (offset_ms, status) in [(0, 200), (59_999, 200), (60_000, 401), (-59_999, 200), (-60_000, 401)] {
            let moved = bench.door("POST", "/door/clock", Some(json!({ "offset_ms": offset_ms }))).await;
            assert_eq!(moved["offset_ms"], offset_ms);
            assert_eq!(bench.call("GET", ALIAS, None).await.status, status, "{offset_ms} ms off");
        }
        let answer = bench.call("GET", ALIAS, None).await;
        assert_eq!(answer.all("date"), ["Fri, 21 Nov 2025 19:19:00 GMT"], "`Date` tells the gateway's time");
    }

    #[tokio::test]
    async fn other_keys_may_be_asked_for() {
        let keys = || Keys::new("AK".into(), "SK".into());
        let bench = Bench::with(|settings| settings.keys = Some(keys())).await;
        let now = bench.clock.wall();
        let status = |answer: super::harness::Answer| answer.status;
        let served = bench.send(&Request::new("GET", ALIAS, None).sign(&keys(), now)).await.map(status);
        assert_eq!((served, bench.call("GET", ALIAS, None).await.status), (Some(200), 401));
    }

    #[tokio::test]
    async fn sub_accounts_come_in_pages_that_start_at_0() {
        let bench = Bench::start().await;
        let more = json!({ "op": "create", "kind": "sub-account", "count": 13, "prefix": "more-" });
        bench.door("POST", "/door/accounts", Some(more)).await;
        // query, page, pages, items on it, previous, next
        let cases = [
            ("", 0, 3, 10, false, true),
            ("?page=1", 1, 3, 10, true, true),
            ("?page=2", 2, 3, 1, true, false),
            ("?page=3", 3, 3, 0, true, false),
            ("?page=0&size=21", 0, 1, 21, false, false),
            ("?page=0&size=20", 0, 2, 20, false, true),
            ("?size=100", 0, 1, 21, false, false),
            ("?page=20&size=1", 20, 21, 1, true, false),
            ("?page=18446744073709551615&size=100", u64::MAX, 1, 0, true, false),
        ];
        for (query, page, pages, items, has_previous, has_next) in cases {
            let answer = bench.call("GET", &format!("{LIST}{query}"), None).await.json();
            let expected = json!({
                "page": page, "totalPages": pages, "totalItems": 21, "hasPrevious": has_previous, "hasNext": has_next,
                "isFirst": page == 0, "isLast": !has_next, "items": answer["items"],
            });
            assert_eq!(answer, expected, "{query}");
            assert_eq!(answer["items"].as_array().unwrap().len(), items, "{query}");
        }
        for query in ["page=-1", "page=x", "size=0", "size=", "searchColumn=name", "searchColumn=email&searchWord=a"] {
            let answer = bench.call("GET", &format!("{LIST}?{query}"), None).await;
            assert_eq!((answer.status, answer.code().as_str()), (400, "100"), "{query}");
        }
    }

    #[rstest]
    #[case("searchColumn=loginId&searchWord=svc-", &["svc-batch", "svc-report", "svc-backup", "svc-deploy", "svc-legacy"])]
    #[case("searchColumn=loginId&searchWord=minji.kim", &["minji.kim"])]
    #[case("searchColumn=name&searchWord=%EA%B9%80%EB%AF%BC%EC%A7%80", &["minji.kim"])]
    #[case("searchColumn=subAccountNo&searchWord=1008", &["doyun.lee"])]
    #[case("searchColumn=loginId&searchWord=nobody", &[])]
    #[tokio::test]
    async fn a_search_matches_parts_of_its_column(#[case] query: &str, #[case] expected: &[&str]) {
        let answer = Bench::start().await.call("GET", &format!("{LIST}?{query}"), None).await.json();
        let found: Vec<&str> =
            answer["items"].as_array().unwrap().iter().map(|item| item["loginId"].as_str().unwrap()).collect();
        assert_eq!(found, expected);
        assert_eq!(answer["totalPages"], u64::from(!expected.is_empty()));
    }

    #[tokio::test]
    async fn an_item_has_every_documented_field() {
        let bench = Bench::start().await;
        let listed = bench.call("GET", LIST, None).await.json()["items"][0].clone();
        let fields = [
            "subAccountId",
            "subAccountNo",
            "loginId",
            "name",
            "email",
            "memo",
            "nrn",
            "needPasswordReset",
            "canAPIGatewayAccess",
            "canConsoleAccess",
            "active",
            "createTime",
            "modifiedTime",
            "lastLoginTime",
        ];
        for field in fields {
            assert!(listed.get(field).is_some(), "{field} is missing");
        }
        assert_eq!(listed["createTime"], "2024-03-04T02:00:00Z");
        let id = listed["subAccountId"].as_str().unwrap();
        let detail = bench.call("GET", &format!("{LIST}/{id}"), None).await.json();
        assert_eq!((&detail["loginId"], &detail["groups"]), (&listed["loginId"], &json!([])));
    }

    #[tokio::test]
    async fn tenant_settings_are_kept_if_they_are_documented_ones() {
        let bench = Bench::start().await;
        let policies = [
            (json!({ "usePasswordExpiration": true, "passwordExpirationDays": 60 }), 200),
            (json!({ "usePasswordExpiration": true, "passwordExpirationDays": 91 }), 400),
            (json!({ "usePasswordExpiration": true }), 400),
            (json!({ "passwordExpirationDays": 60 }), 400),
            (json!({ "usePasswordExpiration": false }), 200),
            (json!({ "usePasswordExpiration": true, "passwordExpirationDays": 180 }), 200),
            (json!({ "usePasswordExpiration": "true", "passwordExpirationDays": 120 }), 400),
        ];
        for (policy, status) in policies {
            assert_eq!(bench.call("POST", POLICY, Some(policy.clone())).await.status, status, "{policy}");
        }
        let expected = json!({ "usePasswordExpiration": true, "passwordExpirationDays": 180 });
        assert_eq!(bench.call("GET", POLICY, None).await.json(), expected);

        let twenty_one = "a".repeat(21);
        for (alias, status) in [("abc", 200), ("ab", 400), (twenty_one.as_str(), 400), ("Abc", 400), ("a-c", 400)] {
            let answer = bench.call("PUT", ALIAS, Some(json!({ "loginAlias": alias }))).await;
            assert_eq!(answer.status, status, "{alias}");
        }
        assert_eq!(bench.call("GET", ALIAS, None).await.json(), json!({ "loginAlias": "abc" }));
    }

    #[tokio::test]
    async fn a_good_password_is_set_and_a_bad_one_is_not() {
        let bench = Bench::start().await;
        let answer = bench.send(&bench.change("svc-batch", "Fresh-Pw7").await).await.unwrap();
        assert_eq!((answer.status, answer.json()), (200, json!({ "success": true })));
        for bad in ["Short-7", "Seventeen-Chars-7", "no-upper-7", "Nodigit-x", "1Svc-Batch", "Aaa-bbbb7", "Xabc-Pw7"] {
            let answer = bench.send(&bench.change("svc-batch", bad).await).await.unwrap();
            let expected = json!({ "errorCode": 9015, "message": "Unsafe password." });
            assert_eq!((answer.status, answer.json()), (400, expected), "{bad}");
        }
        let account = bench.account("svc-batch").await;
        assert_eq!((&account["password"], &account["changes"]), (&json!("Fresh-Pw7"), &json!(1)));
        assert_eq!(account["past"].as_array().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn data_forest_refuses_with_the_password_in_its_answer() {
        let bench = Bench::start().await;
        let request =
            bench.change("df001", "Fresh-Pw7").await.header("content-type", "application/json; charset=utf-8");
        let answer = bench.send(&request).await.unwrap();
        let expected = json!({ "id": bench.id("df001").await, "success": true });
        assert_eq!((answer.status, answer.json()), (200, expected));
        for bad in ["Short-7", "Twenty-one-characters", "Slash/Pw7-x", "Space Pw7-x", "Won₩Pw7-x", "Quote'Pw7-x"] {
            let answer = bench.send(&bench.change("df001", bad).await).await.unwrap();
            let body = answer.json();
            assert_eq!((answer.status, &body["success"]), (400, &json!(false)), "{bad}");
            assert!(body["message"].as_str().unwrap().contains(bad), "{body}");
        }
        assert_eq!(bench.live("df001").await, "Fresh-Pw7");
    }

    #[tokio::test]
    async fn data_forest_accounts_change_while_they_run_and_only_then() {
        let bench = Bench::start().await;
        let set = |change: Value| bench.door("POST", "/door/accounts", Some(change));
        set(json!({ "op": "set", "account": "df002", "disabled": true })).await;
        set(json!({ "op": "set", "account": "df003", "status": "ACCEPTED" })).await;
        for name in ["df002", "df003", "df004"] {
            let answer = bench.send(&bench.change(name, "Fresh-Pw7").await).await.unwrap();
            assert_eq!((answer.status, &answer.json()["message"]), (403, &json!("not allowed to access")), "{name}");
            assert_eq!(bench.account(name).await["changes"], 0, "{name}");
        }
        set(json!({ "op": "set", "account": "df004", "status": "RUNNING" })).await;
        assert_eq!(bench.send(&bench.change("df004", "Fresh-Pw7").await).await.unwrap().status, 200);

        let list = bench.call("POST", "/api/v2/accounts/getList", Some(json!({}))).await.json();
        assert_eq!((&list["success"], &list["total"]), (&json!(true), &json!(4)));
        let id = bench.id("df001").await;
        let expected = json!({
            "id": id, "name": "df001", "principal": "df001@KR.DF.NAVERNCP.COM", "status": "RUNNING", "disabled": false,
            "createdAt": "2024-03-04T11:00:00+09:00",
        });
        assert_eq!(list["contents"][0], expected);
        let detail = bench.call("POST", "/api/v2/accounts/getDetail", Some(json!({ "id": id }))).await.json();
        assert_eq!((&detail["status"], &detail["quotas"]), (&json!("RUNNING"), &json!([])));
    }

    #[tokio::test]
    async fn the_provider_makes_passwords_when_asked() {
        let bench = Bench::start().await;
        let target = format!("{LIST}/{}/password", bench.id("svc-batch").await);
        let body = json!({ "needPasswordGenerate": true, "newPassword": "ignored" });
        let answer = bench.call("PUT", &target, Some(body)).await.json();
        assert_eq!(answer["generatedPassword"].as_str().unwrap(), bench.live("svc-batch").await);
    }

    #[tokio::test]
    async fn a_restart_keeps_what_was_answered() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("made/accounts.json");
        let bench = Bench::with_file(&path).await;
        let before = bench.door("GET", "/door/accounts", None).await;
        assert_eq!(bench.send(&bench.change("svc-batch", "Fresh-Pw7").await).await.unwrap().status, 200);
        assert_eq!(bench.send(&bench.change("df001", "Fresh-Pw8").await).await.unwrap().status, 200);
        let after = bench.door("GET", "/door/accounts", None).await;
        assert_ne!(before, after);
        bench.emulator.shutdown().await;

        let again = Bench::with_file(&path).await;
        assert_eq!(again.door("GET", "/door/accounts", None).await, after);
        assert_eq!(again.live("df001").await, "Fresh-Pw8");
    }

    #[tokio::test]
    async fn without_the_door_no_old_password_is_kept() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("accounts.json");
        let first = Bench::with_file(&path).await;
        let request = first.change("svc-batch", "Fresh-Pw7").await;
        first.emulator.shutdown().await;
        let bench = Bench::with(|settings| {
            settings.accounts = Some(path.clone());
            settings.test_door = false;
        })
        .await;
        assert_eq!(bench.send(&request).await.unwrap().status, 200);
        let file = std::fs::read_to_string(&path).unwrap();
        assert!(file.contains("Fresh-Pw7") && !file.contains("past"));
    }

    #[tokio::test]
    async fn the_door_is_closed_unless_it_was_asked_for() {
        let bench = Bench::with(|settings| settings.test_door = false).await;
        for path in [
            "accounts",
            "faults",
            "log",
            "clock",
            "quirks",
            "release",
            "keys",
            "permissions",
            "roles",
            "metadata/iam/security-credentials/r",
        ] {
            for method in ["GET", "POST", "DELETE"] {
                let answer = bench.send(&Request::new(method, &format!("/door/{path}"), None)).await.unwrap();
                assert_eq!((answer.status, answer.code().as_str()), (404, "300"), "{method} {path}");
            }
        }
    }

    #[tokio::test]
    async fn the_door_makes_changes_whole_or_not_at_all() {
        let bench = Bench::start().await;
        let changes = json!([
            { "op": "create", "kind": "data-forest", "count": 2, "prefix": "dfx" },
            { "op": "set", "account": "svc-batch", "active": false, "password": "By-Hand7" },
            { "op": "delete", "account": "svc-legacy" },
        ]);
        let accounts = bench.door("POST", "/door/accounts", Some(changes)).await;
        let names: Vec<&str> =
            accounts["accounts"].as_array().unwrap().iter().map(|account| account["name"].as_str().unwrap()).collect();
        assert!(names.contains(&"dfx2") && !names.contains(&"svc-legacy"), "{names:?}");
        let account = bench.account("svc-batch").await;
        assert_eq!((&account["active"], &account["password"]), (&json!(false), &json!("By-Hand7")));

        let before = bench.door("GET", "/door/accounts", None).await;
        for bad in [
            json!({ "op": "delete", "account": "nobody" }),
            json!({ "op": "set", "account": "df001", "active": true }),
            json!({ "op": "create", "kind": "data-forest", "count": 1, "prefix": "dfx" }),
            json!({ "op": "rename", "account": "df001" }),
        ] {
            let changes = json!([{ "op": "delete", "account": "df001" }, bad]);
            let answer = bench.send(&Request::new("POST", "/door/accounts", Some(changes))).await.unwrap();
            assert!((400..500).contains(&answer.status), "{bad}: {answer:?}");
        }
        assert_eq!(bench.door("GET", "/door/accounts", None).await, before);
    }

    /// What a caller sees of a fault: nothing, or a status and a code.
    type Seen = Option<(u16, &'static str)>;

    #[rstest]
    #[case(json!("drop-before"), None, false)]
    #[case(json!("drop-after"), None, true)]
    #[case(json!({ "5xx-before": 500 }), Some((500, "900")), false)]
    #[case(json!({ "5xx-before": 503 }), Some((503, "500")), false)]
    #[case(json!({ "5xx-before": 504 }), Some((504, "510")), false)]
    #[case(json!({ "5xx-after": 500 }), Some((500, "900")), true)]
    #[case(json!({ "5xx-after": 503 }), Some((503, "500")), true)]
    #[case(json!({ "5xx-after": 504 }), Some((504, "510")), true)]
    #[case(json!({ "429": 400 }), Some((429, "400")), false)]
    #[case(json!({ "429": 410 }), Some((429, "410")), false)]
    #[case(json!({ "429": 420 }), Some((429, "420")), false)]
    #[case(json!("forbid"), Some((403, "230")), false)]
    #[case(json!("unauthorised"), Some((401, "200")), false)]
    #[case(json!("html"), Some((502, "-")), false)]
    #[case(json!("html-after"), Some((502, "-")), true)]
    #[case(json!("empty"), Some((200, "-")), false)]
    #[case(json!("empty-after"), Some((200, "-")), true)]
    #[case(json!("success-false"), Some((200, "-")), false)]
    #[case(json!("success-false-after"), Some((200, "-")), true)]
    #[case(json!("garbage"), Some((200, "-")), false)]
    #[case(json!("garbage-after"), Some((200, "-")), true)]
    #[case(json!("refuse-same"), Some((200, "-")), true)]
    #[case(json!("other-id"), Some((200, "-")), true)]
    #[tokio::test]
    async fn a_fault_shows_itself_and_changes_what_it_says(
        #[case] fault: Value,
        #[case] seen: Seen,
        #[case] changes: bool,
        #[values("svc-batch", "df001")] name: &str,
    ) {
        let bench = Bench::start().await;
        let before = bench.live(name).await;
        bench.fault(json!({ "call": "*", "account": name, "fault": fault })).await;
        let request = bench.change(name, "Fresh-Pw7").await;

        let answer = bench.send(&request).await;
        let shown = answer.as_ref().map(|answer| (answer.status, answer.code()));
        assert_eq!(shown, seen.map(|(status, code)| (status, code.to_owned())));
        assert_eq!(bench.live(name).await, if changes { "Fresh-Pw7" } else { &before });
        let entry = bench.log().await.pop().unwrap();
        assert_eq!((&entry["changed"], &entry["status"]), (&json!(changes), &json!(seen.map(|(status, _)| status))));
        assert_eq!(entry["ended"], if seen.is_some() { "answered" } else { "dropped" });
        if let Some(answer) = answer {
            assert_eq!(answer.all("date"), [START_DATE]);
        }

        let answer = bench.send(&request).await.unwrap();
        assert_eq!((answer.status, bench.live(name).await.as_str()), (200, "Fresh-Pw7"), "the fault lasts once");
    }

    #[tokio::test]
    async fn the_bodies_of_faults_are_as_bad_as_they_say() {
        let bench = Bench::start().await;
        let mut answers = Vec::new();
        for fault in ["html", "empty", "success-false", "garbage", "other-id"] {
            bench.fault(json!({ "call": "resetPassword", "fault": fault })).await;
            answers.push(bench.send(&bench.change("df001", "Fresh-Pw7").await).await.unwrap());
        }
        let [html, empty, unsuccessful, garbage, other] = answers.try_into().unwrap();
        assert_eq!(html.all("content-type"), ["text/html"]);
        assert!(html.body.starts_with(b"<html>"));
        assert_eq!(empty.body, b"");
        assert_eq!(unsuccessful.json(), json!({ "success": false }));
        assert!(serde_json::from_slice::<Value>(&garbage.body).is_err() && !garbage.body.is_empty());
        let id = bench.id("df001").await;
        assert!(other.json()["id"].is_string() && other.json()["id"] != id, "{other:?}");
    }

    #[tokio::test]
    async fn a_password_may_be_refused_for_nothing_or_for_being_the_same() {
        let bench = Bench::start().await;
        for (name, status, code) in [("svc-batch", 400, "9015"), ("df001", 400, "-")] {
            let good = bench.change(name, "Fresh-Pw7").await;
            bench.fault(json!({ "call": "*", "account": name, "fault": "refuse" })).await;
            let refused = bench.send(&good).await.unwrap();
            assert_eq!((refused.status, refused.code().as_str()), (status, code));
            assert_eq!(bench.send(&good).await.unwrap().status, 200);
            assert_eq!(bench.send(&good).await.unwrap().status, 200, "the same password is no mistake by itself");

            bench.fault(json!({ "call": "*", "account": name, "fault": "refuse-same" })).await;
            assert_eq!(bench.send(&good).await.unwrap().status, status);
            bench.door("POST", "/door/quirks", Some(json!({ "refuse_same_password": true }))).await;
            assert_eq!(bench.send(&good).await.unwrap().status, status);
            assert_eq!(bench.send(&bench.change(name, "Fresher-Pw8").await).await.unwrap().status, 200);
            bench.door("POST", "/door/quirks", Some(json!({ "refuse_same_password": false }))).await;
        }
        let echoed = bench.change("df001", "Echo-Me77").await;
        bench.fault(json!({ "call": "resetPassword", "fault": "refuse" })).await;
        let refused = bench.send(&echoed).await.unwrap().json();
        assert!(refused["message"].as_str().unwrap().contains("Echo-Me77"), "{refused}");
    }

    #[rstest]
    #[case::checked_when_processed(json!({ "ms": 400_000 }), 401, false)]
    #[case::processed_in_time(json!({ "ms": 299_999 }), 200, true)]
    #[case::checked_at_arrival(json!({ "ms": 400_000, "checked-at": "arrival" }), 200, true)]
    #[tokio::test]
    async fn a_delayed_signature_is_looked_at_when_the_rule_says(
        #[case] delay: Value,
        #[case] status: u16,
        #[case] changes: bool,
    ) {
        let bench = Bench::start().await;
        bench.fault(json!({ "call": "password", "fault": { "delay": delay } })).await;
        let request = bench.change("svc-batch", "Fresh-Pw7").await;
        let stream = bench.open(&request).await;
        bench.until_last(|entry| entry["fault"] == "delay").await;
        assert_eq!(bench.log().await[0]["ended"], Value::Null);
        assert_eq!(bench.account("svc-batch").await["changes"], 0);

        bench.clock.advance(Duration::from_millis(delay["ms"].as_u64().unwrap()));
        assert_eq!(read_answer(stream).await.unwrap().status, status);
        assert_eq!(bench.account("svc-batch").await["changes"], u64::from(changes));
    }

    #[tokio::test]
    async fn a_request_that_is_checked_at_arrival_does_not_wait_to_be_refused() {
        let bench = Bench::start().await;
        bench.fault(json!({ "call": "*", "fault": { "hold": { "checked-at": "arrival" } } })).await;
        assert_eq!(bench.send(&Request::new("GET", ALIAS, None)).await.unwrap().status, 401);
    }

    #[tokio::test]
    async fn a_held_change_is_made_even_when_its_caller_has_gone() {
        let bench = Bench::start().await;
        bench.fault(json!({ "call": "password", "fault": { "hold": { "then": "drop-after" } } })).await;
        let stream = bench.open(&bench.change("svc-batch", "Late-Pw77").await).await;
        bench.until_last(|entry| entry["fault"] == "hold").await;
        drop(stream);
        assert_eq!(bench.send(&bench.change("svc-batch", "Soon-Pw77").await).await.unwrap().status, 200);
        assert_eq!(bench.live("svc-batch").await, "Soon-Pw77");

        bench.door("POST", "/door/release", None).await;
        let late_one_ended = async {
            while bench.log().await[0]["ended"] != "dropped" {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), late_one_ended).await.unwrap();
        assert_eq!(bench.live("svc-batch").await, "Late-Pw77");
    }

    #[tokio::test]
    async fn shutting_down_drops_what_waits_and_changes_nothing() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("accounts.json");
        let bench = Bench::with_file(&path).await;
        bench.fault(json!({ "call": "password", "fault": { "delay": { "ms": 1000 } } })).await;
        let stream = bench.open(&bench.change("svc-batch", "Late-Pw77").await).await;
        bench.until_last(|entry| entry["fault"] == "delay").await;
        bench.emulator.shutdown().await;
        bench.clock.advance(Duration::from_secs(2));
        assert!(read_answer(stream).await.is_none());
        assert!(!std::fs::read_to_string(&path).unwrap().contains("Late-Pw77"));
    }

    #[tokio::test]
    async fn a_connection_serves_many_requests_until_it_is_dropped() {
        let bench = Bench::start().await;
        let mut stream = tokio::net::TcpStream::connect(bench.emulator.address()).await.unwrap();
        let mut buffer = vec![0; 4096];
        for _ in 0..2 {
            stream.write_all(b"GET /api HTTP/1.1\r\nhost: emulator\r\n\r\n").await.unwrap();
            let read = stream.read(&mut buffer).await.unwrap();
            assert!(buffer[..read].starts_with(b"HTTP/1.1 404"));
        }
        bench.fault(json!({ "call": "*", "fault": "drop-before" })).await;
        stream.write_all(b"GET /api/v1/login-alias HTTP/1.1\r\nhost: emulator\r\n\r\n").await.unwrap();
        assert!(matches!(stream.read(&mut buffer).await, Ok(0) | Err(_)), "a byte came before the end");
    }

    #[tokio::test]
    async fn the_machines_own_time_is_never_told() {
        let bench = Bench::start().await;
        let mut stream = tokio::net::TcpStream::connect(bench.emulator.address()).await.unwrap();
        stream.write_all(b"no request at all\r\n\r\n").await.unwrap();
        let answer = read_answer(stream).await.unwrap();
        assert_eq!((answer.status, answer.all("date").len()), (400, 0));
    }

    #[tokio::test]
    async fn an_idle_connection_does_not_hold_up_the_end() {
        let bench = Bench::start().await;
        let mut stream = tokio::net::TcpStream::connect(bench.emulator.address()).await.unwrap();
        stream.write_all(b"GET /api HTTP/1.1\r\nhost: emulator\r\n\r\n").await.unwrap();
        assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
        tokio::time::timeout(Duration::from_secs(1), bench.emulator.shutdown())
            .await
            .expect("it waited for the caller");
        assert_eq!(stream.read(&mut [0; 16]).await.unwrap(), 0);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn changes_that_come_at_once_are_all_kept() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("accounts.json");
        let bench = Bench::with_file(&path).await;
        let more = json!({ "op": "create", "kind": "sub-account", "count": 30, "prefix": "more-" });
        bench.door("POST", "/door/accounts", Some(more)).await;
        let names: Vec<String> = (1..=30).map(|number| format!("more-{number}")).collect();
        let change = async |name: &String| bench.send(&bench.change(name, "Fresh-Pw7").await).await.unwrap().status;
        let statuses = futures::future::join_all(names.iter().map(change)).await;
        assert_eq!(statuses, vec![200; 30]);
        bench.emulator.shutdown().await;
        let kept = std::fs::read_to_string(&path).unwrap();
        assert_eq!(kept.matches("\"Fresh-Pw7\"").count(), 30);
    }

    #[tokio::test]
    async fn the_log_knows_passwords_by_their_digest_alone() {
        let bench = Bench::start().await;
        bench.send(&bench.change("svc-batch", "Fresh-Pw7").await).await.unwrap();
        bench.send(&bench.change("df001", "Bad/Fresh-Pw7").await).await.unwrap();
        bench.call("GET", &format!("{LIST}?page=0"), None).await;
        let log = bench.log().await;
        assert!(!Value::Array(log.clone()).to_string().contains("Fresh"), "{log:?}");
        let id = bench.id("svc-batch").await;
        let expected = json!({
            "seq": 0, "time": "2025-11-21T19:20:00.001Z", "method": "PUT", "target": format!("{LIST}/{id}/password"),
            "call": "password", "account": "svc-batch", "account_id": id, "signed_at": "1763752800001",
            "password_sha256": FRESH_PW7_SHA256, "fault": null, "ended": "answered", "changed": true, "status": 200,
        });
        assert_eq!(log[0], expected);
        assert_eq!((&log[1]["account"], &log[1]["status"]), (&json!("df001"), &json!(400)));
        assert_eq!((&log[2]["target"], &log[2]["password_sha256"]), (&json!(format!("{LIST}?page=0")), &Value::Null));
    }

    /// By `sha256sum`.
    const FRESH_PW7_SHA256: &str = "cd781b3816a8649d71f9a158dfa5d04a8d3c6ad33455288ae1fc687855d19e7b";

    #[tokio::test]
    async fn an_emulator_that_cannot_start_says_why_and_what_to_do() {
        let bench = Bench::start().await;
        let (mut taken, _) = settings();
        taken.listen = bench.emulator.address();
        let error = Emulator::start(taken).await.err().unwrap().to_string();
        assert!(error.contains(&bench.emulator.address().to_string()) && error.contains("--listen"), "{error}");

        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("accounts.json");
        std::fs::write(&path, "{\n\n oops").unwrap();
        let (mut damaged, _) = settings();
        damaged.accounts = Some(path.clone());
        let error = Emulator::start(damaged).await.err().unwrap().to_string();
        assert!(error.contains("accounts.json, line 3") && error.contains("correct it"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\n\n oops");
    }

    #[tokio::test]
    async fn an_accounts_file_damaged_later_is_an_error_on_the_other_side() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("accounts.json");
        let bench = Bench::with_file(&path).await;
        let request = bench.change("svc-batch", "Fresh-Pw7").await;
        std::fs::write(&path, "not accounts").unwrap();
        let answer = bench.send(&request).await.unwrap();
        assert_eq!((answer.status, answer.code().as_str()), (500, "900"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "not accounts");
    }
}
