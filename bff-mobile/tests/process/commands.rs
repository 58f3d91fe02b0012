//! Commands that end by themselves, and a server that cannot start.

use std::process::Output;

use serde_json::Value;

use crate::program::{Folder, program, root, run, shipped, within};

#[tokio::test]
async fn a_port_that_is_taken() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let free = "127.0.0.1:0".to_owned();
    for (flag, listen, management) in
        [("--listen", address.to_string(), free.clone()), ("--management", free, address.to_string())]
    {
        let (code, output, errors) = run(&["--listen", &listen, "--management", &management]).await;
        assert_eq!(code, 1, "{errors}");
        assert!(errors.contains(&format!("port {}", address.port())) && errors.contains(flag), "{errors}");
        assert!(!output.contains("listening"), "{output}");
    }
}

#[tokio::test]
async fn all_mistakes_of_a_configuration_at_once() {
    let folder = Folder::new("mistakes");
    let wrong = shipped()
        .replace("[upstreams.catalog]\n", "[upstreams.catalog]\ntimout = \"1s\"\n")
        .replace("server_timing = true", "server_timing = \"perhaps\"\ncors_origin = []")
        .replace("url = \"http://127.0.0.1:9002\"", "url = \"ftp://127.0.0.1:9002\"")
        + "\n[upstreams.reviewers]\nurl = \"http://127.0.0.1:1\"\n\n[endpoints.getHomes]\nbudget = \"1s\"\n\n[sever]\n";
    let file = folder.file("wrong.toml", &wrong);
    for (command, expected) in [("serve", 2), ("check", 1), ("config", 2)] {
        let (code, output, errors) = run(&[command, "--config", &file]).await;
        assert_eq!((code, output.as_str()), (expected, ""), "{command}: {errors}");
        for mistake in [
            "7 mistakes",
            "upstreams.catalog.timout",
            "did you mean `timeout`?",
            "edge.server_timing",
            "edge.cors_origin",
            "did you mean `cors_origins`?",
            "upstreams.pricing.url",
            "upstreams.reviewers",
            "endpoints.getHomes",
            "sever",
            "did you mean `server`?",
            "wrong.toml",
        ] {
            assert!(errors.contains(mistake), "{command}, {mistake}: {errors}");
        }
    }
    let file = folder.file("broken.toml", "[server\n");
    let (code, _, errors) = run(&["--config", &file]).await;
    assert_eq!(code, 2, "{errors}");
    let (code, _, errors) = run(&["--config", "/no/such/file.toml"]).await;
    assert_eq!((code, errors.contains("/no/such/file.toml")), (2, true), "{errors}");
}

/// What is shipped for instances behind a balancer is accepted, and leaves it time to notice.
#[tokio::test]
async fn a_fleets_environment() {
    let lines = std::fs::read_to_string(root().join("config/fleet.env")).unwrap();
    let pairs = lines.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    let pairs: Vec<_> = pairs.collect();
    for (command, said) in
        [("check", "ok\n"), ("config", "drain_delay = \"5s\""), ("config", "drain_timeout = \"20s\"")]
    {
        let Output { status, stdout, .. } = within(program().envs(pairs.clone()).arg(command).output()).await.unwrap();
        let stdout = String::from_utf8(stdout).unwrap();
        assert!(status.success() && stdout.contains(said), "{command}: {stdout}");
    }
}

#[tokio::test]
async fn commands_that_only_tell() {
    let (code, document, errors) = run(&["openapi"]).await;
    assert_eq!((code, errors.as_str()), (0, ""));
    let parsed: Value = serde_json::from_str(&document).unwrap();
    assert!(parsed["paths"]["/product-page/{id}"]["get"].is_object(), "{document}");
    let folder = Folder::new("openapi");
    let same = folder.file("same.json", &document);
    assert_eq!(run(&["openapi", "--check", &same]).await, (0, "ok\n".to_owned(), String::new()));
    let other = folder.file("other.json", &document.replace("/product-page/{id}", "/product/{id}"));
    let (code, _, errors) = run(&["openapi", "--check", &other]).await;
    assert_eq!((code, errors.contains("product-page")), (1, true), "{errors}");

    let (code, table, errors) = run(&["routes"]).await;
    assert_eq!((code, errors.as_str()), (0, ""));
    for word in [
        "/product-page/{id}",
        "getProductPage",
        "subject product",
        "required price",
        "optional reviews",
        "fallback related",
    ] {
        assert!(table.contains(word), "{word}: {table}");
    }
    assert_eq!(table.lines().count(), 7, "{table}");

    let (code, effective, errors) = run(&["config", "--set", "cache.capacity=1 MiB"]).await;
    assert_eq!((code, errors.as_str()), (0, ""));
    for line in ["# from --set", "config/mobile.toml", "[upstreams.catalog]", "url = \"http://127.0.0.1:9001\""] {
        assert!(effective.contains(line), "{line}: {effective}");
    }
    // What stands in a file of its own is a secret.
    let secret = folder.file("audience", "canary-of-a-file");
    let masked = folder.file(
        "masked.toml",
        &shipped().replace("audiences = [\"bff-mobile\"]", &format!("audiences = {{ file = {secret:?} }}")),
    );
    let (code, effective, errors) = run(&["config", "--config", &masked]).await;
    assert_eq!((code, errors.as_str()), (0, ""));
    assert!(effective.contains("audiences = ") && effective.contains("********"), "{effective}");
    assert!(!effective.contains("canary"), "{effective}");
    let (code, _, errors) = run(&["config", "--set", "auth.issuers.main.client_secret=canary-secret"]).await;
    assert_eq!((code, errors.contains("client_secret"), errors.contains("canary")), (2, true, false), "{errors}");
    assert_eq!(run(&["check"]).await, (0, "ok\n".to_owned(), String::new()));
    let (code, help, _) = run(&["--help"]).await;
    assert_eq!((code, help.contains("openapi")), (0, true));
    assert_eq!(run(&["brew"]).await.0, 2);
}
