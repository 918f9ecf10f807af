use aws_sdk_s3control::{
    operation::create_job::{CreateJobError, builders::CreateJobFluentBuilder},
    types::{
        JobManifestFieldName as Field, JobManifestGenerator, JobOperation, JobReport, LambdaInvokeOperation,
        S3DeleteObjectTaggingOperation, S3JobManifestGenerator, S3Tag,
    },
};
use bytes::Bytes;
use http::Request;

use crate::world::{ACCOUNT, FUNCTION, World, invoke, manifest_of, report, succeeded};

type Change = fn(CreateJobFluentBuilder) -> CreateJobFluentBuilder;

fn lambda(
    change: impl FnOnce(
        aws_sdk_s3control::types::builders::LambdaInvokeOperationBuilder,
    ) -> aws_sdk_s3control::types::builders::LambdaInvokeOperationBuilder,
) -> JobOperation {
    let invoke = LambdaInvokeOperation::builder().function_arn(FUNCTION).invocation_schema_version("2.0");
    JobOperation::builder().lambda_invoke(change(invoke).build()).build()
}

fn tagged(count: usize) -> Option<Vec<S3Tag>> {
    let tag = |n: usize| S3Tag::builder().key(n.to_string()).value("v").build().unwrap();
    Some((0..count).map(tag).collect())
}

fn located(arn: &str) -> aws_sdk_s3control::types::JobManifest {
    manifest_of(arn, &[Field::Bucket, Field::Key])
}

#[tokio::test(start_paused = true)]
async fn what_is_invalid_is_refused_with_the_reason() {
    let cases: &[(Change, &str)] = &[
        (|job| job.client_request_token("x".repeat(65)), "ClientRequestToken has 1 to 64 characters"),
        (|job| job.description("x".repeat(257)), "Description has 1 to 256 characters"),
        (|job| job.description(""), "Description has 1 to 256 characters"),
        (|job| job.priority(-1), "Priority is a number from 0"),
        (|job| job.role_arn("arn:aws:iam::1234:role/x"), "RoleArn is not the ARN of a role"),
        (|job| job.role_arn("arn:aws:iam::123456789012:user/x"), "RoleArn is not the ARN of a role"),
        (|job| job.role_arn("x".repeat(2049)), "RoleArn has 1 to 2048 characters"),
        (|job| job.set_manifest(None), "give Manifest or ManifestGenerator"),
        (|job| job.manifest(located("arn:aws:s3:::bucket-only")), "ObjectArn is the ARN of an object"),
        (
            |job| job.manifest(located("arn:aws:s3:us-east-1:123456789012:accesspoint/a/object/k")),
            "general purpose bucket",
        ),
        (|job| job.manifest(located("s3://manifests/m.csv")), "ObjectArn is the ARN of an object"),
        (
            |job| job.manifest(manifest_of("arn:aws:s3:::m/m.csv", &[Field::Bucket])),
            "Required fields are missing in the schema: Key",
        ),
        (
            |job| job.manifest(manifest_of("arn:aws:s3:::m/m.csv", &[])),
            "Required fields are missing in the schema: Bucket, Key",
        ),
        (
            |job| job.manifest(manifest_of("arn:aws:s3:::m/m.csv", &[Field::Bucket, Field::Key, Field::Key])),
            "Key is given twice",
        ),
        (
            |job| job.manifest(manifest_of("arn:aws:s3:::m/m.csv", &[Field::Bucket, Field::from("Size")])),
            "unknown value Size",
        ),
        (|job| job.operation(JobOperation::builder().build()), "Operation has exactly one member"),
        (|job| job.operation(lambda(|invoke| invoke.function_arn(""))), "FunctionArn has 1 to 1024 characters"),
        (
            |job| job.operation(lambda(|invoke| invoke.function_arn("a function"))),
            "FunctionArn is not the ARN of a function",
        ),
        (|job| job.operation(invoke("3.0")), "InvocationSchemaVersion is 1.0 or 2.0, not 3.0"),
        (
            |job| job.operation(lambda(|invoke| invoke.invocation_schema_version("1.0").user_arguments("a", "b"))),
            "UserArguments need",
        ),
        (
            |job| {
                job.operation(lambda(|invoke| {
                    (0..11).fold(invoke, |invoke, n| invoke.user_arguments(n.to_string(), ""))
                }))
            },
            "at most 10 UserArguments",
        ),
        (|job| job.operation(lambda(|invoke| invoke.user_arguments("k".repeat(65), ""))), "key has 1 to 64 characters"),
        (
            |job| job.operation(lambda(|invoke| invoke.user_arguments("k", "v".repeat(1025)))),
            "value has 0 to 1024 characters",
        ),
        (|job| job.report(JobReport::builder().enabled(true).build()), "an enabled Report needs"),
        (|job| job.report(report().bucket("reports").build()), "Report.Bucket is the ARN"),
        (|job| job.report(report().bucket(format!("arn:aws:s3:::{}", "b".repeat(120))).build()), "Bucket has 1 to 128"),
        (|job| job.report(report().format("Report_CSV_2".into()).build()), "unknown report format"),
        (|job| job.report(report().report_scope("Some".into()).build()), "unknown value Some"),
        (|job| job.report(report().prefix("p".repeat(513)).build()), "Prefix has 1 to 512"),
        (|job| job.report(report().expected_bucket_owner("12345678901x").build()), "ExpectedBucketOwner"),
        (|job| job.set_tags(tagged(51)), "at most 50 tags"),
        (|job| job.tags(S3Tag::builder().key("a#").value("").build().unwrap()), "may not hold the character '#'"),
    ];
    let world = World::new(|_| succeeded());
    for (change, message) in cases {
        let error = change(world.job("bkt,a\n")).send().await.unwrap_err().into_service_error();
        assert!(error.is_bad_request_exception(), "{message}: {error:?}");
        assert!(error.meta().message().unwrap().contains(message), "{message}: {error:?}");
    }
    assert!(world.batch.jobs().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_limits_themselves_are_allowed() {
    let world = World::new(|_| succeeded());
    let operation = lambda(|invoke| {
        (0..10).fold(invoke, |invoke, n| invoke.user_arguments(n.to_string().repeat(64), "v".repeat(1024)))
    });
    let job = world
        .job("bkt,a\n")
        .client_request_token("t".repeat(64))
        .description("é".repeat(256))
        .priority(i32::MAX)
        .operation(operation);
    job.report(report().prefix("p".repeat(512)).build()).set_tags(tagged(50)).send().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_not_served_is_refused_by_name() {
    let world = World::new(|_| succeeded());
    let generator = S3JobManifestGenerator::builder()
        .source_bucket("arn:aws:s3:::b")
        .enable_manifest_output(false)
        .build()
        .unwrap();
    let deleting =
        JobOperation::builder().s3_delete_object_tagging(S3DeleteObjectTaggingOperation::builder().build()).build();
    let mut inventory = located("arn:aws:s3:::m/m.csv");
    inventory.spec.as_mut().unwrap().format = "S3InventoryReport_CSV_20161130".into();
    let job = || world.job("bkt,a\n");
    let cases = [
        (
            job().set_manifest(None).manifest_generator(JobManifestGenerator::S3JobManifestGenerator(generator)),
            "ManifestGenerator",
        ),
        (job().operation(deleting), "S3DeleteObjectTagging"),
        (job().manifest(inventory), "S3InventoryReport_CSV_20161130"),
    ];
    for (job, name) in cases {
        let error = job.send().await.unwrap_err().into_service_error();
        assert_eq!(error.meta().code(), Some("NotImplemented"));
        assert!(error.meta().message().unwrap().contains(name), "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn both_manifests_are_one_too_many() {
    let world = World::new(|_| succeeded());
    let generator = S3JobManifestGenerator::builder()
        .source_bucket("arn:aws:s3:::b")
        .enable_manifest_output(false)
        .build()
        .unwrap();
    let job = world.job("bkt,a\n").manifest_generator(JobManifestGenerator::S3JobManifestGenerator(generator));
    let error = job.send().await.unwrap_err().into_service_error();
    assert!(error.is_bad_request_exception() && error.meta().message().unwrap().contains("not both"), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn other_accounts_are_turned_away() {
    let world = World::new(|_| succeeded());
    let code = |error: CreateJobError| error.meta().code().map(str::to_owned);
    let stranger = world.job("bkt,a\n").account_id("210987654321").send().await;
    assert_eq!(code(stranger.unwrap_err().into_service_error()).as_deref(), Some("AccessDenied"));
    let error = world
        .job("bkt,a\n")
        .role_arn("arn:aws:iam::210987654321:role/x")
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert_eq!(error.meta().message(), Some("Cross-account pass role is not allowed"));
}

#[tokio::test(start_paused = true)]
async fn a_repeated_token_is_the_same_job_or_an_error() {
    let world = World::new(|_| succeeded());
    let arguments = lambda(|invoke| (0..9).fold(invoke, |invoke, n| invoke.user_arguments(n.to_string(), "v")));
    let job = || world.job("bkt,a\n").operation(arguments.clone()).set_tags(tagged(2));
    let id = job().send().await.unwrap().job_id;
    assert_eq!(job().send().await.unwrap().job_id, id);
    assert_eq!(world.batch.jobs().len(), 1);
    for different in [job().description("another"), job().set_tags(None)] {
        let error = different.send().await.unwrap_err().into_service_error();
        assert!(error.is_idempotency_exception(), "{error:?}");
    }
    assert_ne!(job().client_request_token("other").send().await.unwrap().job_id, id);
}

#[tokio::test(start_paused = true)]
async fn bodies_by_hand_may_name_items_by_type_but_not_invent_elements() {
    let world = World::new(|_| succeeded());
    world.put("/manifests/m.csv", "bkt,a\n");
    let body = |extra: &str| {
        format!(
            "<CreateJobRequest xmlns=\"http://awss3control.amazonaws.com/doc/2018-08-20/\"><ClientRequestToken>t</ClientRequestToken>{extra}
            <Manifest><Spec><Format>S3BatchOperations_CSV_20180820</Format><Fields><JobManifestFieldName>Bucket</JobManifestFieldName>
            <member>Key</member></Fields></Spec><Location><ObjectArn>arn:aws:s3:::manifests/m.csv</ObjectArn><ETag>&quot;etag&quot;</ETag></Location></Manifest>
            <Operation><LambdaInvoke><FunctionArn>f</FunctionArn></LambdaInvoke></Operation><Priority>1</Priority><Report><Enabled>false</Enabled></Report>
            <RoleArn>arn:aws:iam::{ACCOUNT}:role/r</RoleArn><Tags><S3Tag><Key>k</Key><Value>v</Value></S3Tag></Tags></CreateJobRequest>"
        )
    };
    let refused = post(&world, body("<Colour>red</Colour>")).await;
    assert!(
        refused.contains("<ErrorResponse xmlns=")
            && refused.contains("<Error><Code>BadRequestException</Code>")
            && refused.contains("Colour"),
        "{refused}"
    );
    assert!(post(&world, "<x".into()).await.contains("not well-formed XML"));
    assert!(post(&world, body("")).await.contains("<JobId>"));
    assert_eq!(world.batch.jobs()[0].tags["k"], "v");
}

async fn post(world: &World, body: String) -> String {
    let request = Request::post("/v20180820/jobs").header("x-amz-account-id", ACCOUNT).body(Bytes::from(body)).unwrap();
    String::from_utf8(world.batch.call(request).await.into_body().to_vec()).unwrap()
}
