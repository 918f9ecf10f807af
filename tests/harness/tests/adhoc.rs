use domain::mapping::BucketKind;
use harness::*;
#[tokio::test(flavor = "multi_thread")]
async fn adhoc() {
    let t = std::time::Instant::now();
    for kind in [BucketKind::Unversioned, BucketKind::Versioned, BucketKind::Suspended] {
        for versions in [0, 24, 1100] {
            let mut o =
                Options { kind, s3: local_aws::Backend::Url(std::env::var("WEED").unwrap()), ..Options::default() };
            o.environment = environment::apart(
                o.environment,
                &format!("{}-{versions}-{}", &format!("{kind:?}").to_lowercase()[..2], std::process::id()),
            );
            o.deletion_variables.insert("SETTLE_SECONDS".into(), "1".into());
            let p = Photolala::start(o).await.unwrap();
            let a = Account::seeded(9);
            Fixture::of(&a.neighbour()).versions(100).uploads(1).fill(&p).await.unwrap();
            for k in look_alikes(&a) {
                if k.contains("//") || !k.contains(".") {
                    continue;
                }
                if let Err(e) = p.s3().put_object().bucket(p.bucket()).key(&k).send().await {
                    println!("{k} {e:?}");
                }
            }
            Fixture::of(&a).versions(versions).uploads(3).fill(&p).await.unwrap();
            let before = p.snapshot().await;
            println!("{kind:?} {versions} snapshot {} {}", before.0.len(), t.elapsed().as_secs_f64());
            let answer = p.delete_now(&a.upper()).await.unwrap();
            println!("{answer:?}");
            if answer.status_code > 299 {
                for f in p.local().lambda().log_groups() {
                    for l in p.local().lambda().logs(&f) {
                        println!("{} {}", l.process, l.text);
                    }
                }
                println!("{:?}", p.local().recorder().counts());
            }
            let r = p.run_until_complete(answer.deletion_id()).await;
            if r.is_err() {
                for f in p.local().lambda().log_groups() {
                    for l in p.local().lambda().logs(&f) {
                        println!("{} {}", l.process, l.text);
                    }
                }
            }
            let r = r.unwrap();
            let res = std::panic::AssertUnwindSafe(promises::kept(&p, &before, &a, &r));
            if futures::FutureExt::catch_unwind(res).await.is_err() {
                println!("BROKEN {kind:?} {versions}");
            }
            p.settle().await.unwrap();
            println!("record {}", p.has_record(&a).await);
            println!("{:?}", p.receipt(r.deletion_id).await.versions);
            p.shutdown().await;
        }
    }
}
