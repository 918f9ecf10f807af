//! Multipart uploads: leftovers are invisible to object listings, and are found and aborted.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use local_s3::Versioning;

use crate::{BUCKET, KEY, Local, refused};

async fn begin(local: &Local, key: &str) -> String {
    let created = local.client.create_multipart_upload().bucket(BUCKET).key(key).send().await.unwrap();
    created.upload_id.unwrap()
}

async fn upload(local: &Local, id: &str, number: i32, body: Vec<u8>) -> CompletedPart {
    let part = local.client.upload_part().bucket(BUCKET).key(KEY).upload_id(id).part_number(number);
    let etag = part.body(ByteStream::from(body)).send().await.unwrap().e_tag;
    CompletedPart::builder().part_number(number).set_e_tag(etag).build()
}

#[tokio::test]
async fn an_upload_becomes_an_object_with_a_tag_of_tags() {
    let local = Local::new(Versioning::Enabled);
    let id = begin(&local, KEY).await;
    let first = upload(&local, &id, 1, vec![b'a'; 5 * 1024 * 1024]).await;
    let last = upload(&local, &id, 2, b"end".to_vec()).await;
    let parts = local.client.list_parts().bucket(BUCKET).key(KEY).upload_id(&id).send().await.unwrap();
    assert_eq!(parts.parts().iter().filter_map(|part| part.size()).collect::<Vec<_>>(), [5 * 1024 * 1024, 3]);
    assert_eq!(local.store().count(BUCKET, "").unwrap(), 0, "not an object yet");
    let complete = |parts: &[&CompletedPart]| {
        let parts = parts.iter().copied().cloned().collect();
        let upload = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        local.client.complete_multipart_upload().bucket(BUCKET).key(KEY).upload_id(&id).multipart_upload(upload)
    };
    assert_eq!(refused(complete(&[&last, &first]).send().await), (400, "InvalidPartOrder".into()));
    let wrong = CompletedPart::builder().part_number(1).e_tag("\"0\"").build();
    assert_eq!(refused(complete(&[&wrong]).send().await), (400, "InvalidPart".into()));
    let done = complete(&[&first, &last]).send().await.unwrap();
    assert!(done.e_tag().unwrap().ends_with("-2\""), "{:?}", done.e_tag());
    assert!(done.version_id().is_some());
    assert_eq!(local.store().body(BUCKET, KEY).unwrap().len(), 5 * 1024 * 1024 + 3);
    assert_eq!(refused(complete(&[&first]).send().await), (404, "NoSuchUpload".into()));
}

#[tokio::test]
async fn completing_is_conditional_and_parts_have_a_least_size() {
    let local = Local::new(Versioning::Unversioned);
    let id = begin(&local, KEY).await;
    let parts = vec![upload(&local, &id, 1, b"a".to_vec()).await, upload(&local, &id, 2, b"b".to_vec()).await];
    let complete = |parts: &[CompletedPart]| {
        let upload = CompletedMultipartUpload::builder().set_parts(Some(parts.to_vec())).build();
        local.client.complete_multipart_upload().bucket(BUCKET).key(KEY).upload_id(&id).multipart_upload(upload)
    };
    assert_eq!(refused(complete(&parts).send().await), (400, "EntityTooSmall".into()));
    local.put(KEY, "hello").await;
    let conditional = complete(&parts[..1]).if_none_match("*").send().await;
    assert_eq!(refused(conditional), (412, "PreconditionFailed".into()));
    complete(&parts[..1]).send().await.unwrap();
    assert_eq!(local.store().body(BUCKET, KEY).unwrap(), "a");
}

#[tokio::test]
async fn leftovers_are_listed_page_by_page_and_aborted() {
    let local = Local::with_pages_of(Versioning::Enabled, 2);
    for key in ["a/1", "a/1", "a/1", "a/2", "b/1"] {
        begin(&local, key).await;
    }
    let list = || local.client.list_multipart_uploads().bucket(BUCKET).prefix("a/");
    let (mut found, mut page) = (Vec::new(), list().send().await.unwrap());
    loop {
        let named = |upload: &aws_sdk_s3::types::MultipartUpload| (upload.key.clone(), upload.upload_id.clone());
        found.extend(page.uploads().iter().map(named));
        if page.is_truncated() != Some(true) {
            break;
        }
        let next = list().key_marker(page.next_key_marker().unwrap());
        page = next.upload_id_marker(page.next_upload_id_marker().unwrap()).send().await.unwrap();
    }
    let expected = local.store().uploads(BUCKET, "a/").unwrap();
    let expected: Vec<_> = expected.into_iter().map(|(key, id, _)| (Some(key), Some(id))).collect();
    assert_eq!((found.len(), &found), (4, &expected));
    let abort =
        |key: &str, id: &str| local.client.abort_multipart_upload().bucket(BUCKET).key(key).upload_id(id).send();
    for (key, id) in &found {
        abort(key.as_ref().unwrap(), id.as_ref().unwrap()).await.unwrap();
    }
    assert_eq!(local.store().uploads(BUCKET, "").unwrap().len(), 1);
    let again = abort("a/1", found[0].1.as_ref().unwrap()).await;
    assert_eq!(refused(again), (404, "NoSuchUpload".into()));
    let parts = local.client.list_parts().bucket(BUCKET).key("a/1").upload_id(found[0].1.clone().unwrap());
    assert_eq!(refused(parts.send().await), (404, "NoSuchUpload".into()));
}
