//! S3 operations: their names, how a request shows which it is, and what its messages can carry.
//!
//! Source: Amazon S3 API Reference, the request syntax and the header lists of each action
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations.html>). To add an operation,
//! add a row to `SUBRESOURCES`; if its messages carry encryption headers, add it to
//! [`Operation::carries`], too.

use super::record::Transfer;

/// An S3 API operation, by its name in the API reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Operation(&'static str);

/// Which encryption headers an operation's messages can carry. All others are outside every
/// denominator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carries {
    /// The request: a mode.
    pub request_mode: bool,
    /// The request: SSE-C.
    pub request_customer_key: bool,
    /// The response: a mode.
    pub response_mode: bool,
    /// The response: SSE-C.
    pub response_customer_key: bool,
}

impl Carries {
    /// Whether either message can carry a mode.
    pub const fn mode(self) -> bool {
        self.request_mode || self.response_mode
    }
}

impl Operation {
    /// The response carries a mode, and its request was not seen.
    pub const UNKNOWN: Self = Self("unknown");
    /// `PutObject`.
    pub const PUT_OBJECT: Self = Self("PutObject");
    /// `CopyObject`.
    pub const COPY_OBJECT: Self = Self("CopyObject");
    /// `GetObject`.
    pub const GET_OBJECT: Self = Self("GetObject");
    /// `HeadObject`.
    pub const HEAD_OBJECT: Self = Self("HeadObject");
    /// `UploadPart`.
    pub const UPLOAD_PART: Self = Self("UploadPart");
    /// `UploadPartCopy`.
    pub const UPLOAD_PART_COPY: Self = Self("UploadPartCopy");
    /// The upload of a browser form.
    pub const POST_OBJECT: Self = Self("PostObject");

    /// The label and record value.
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// All that requests are taken for, sorted by name, and [`Self::UNKNOWN`].
    pub fn all() -> impl Iterator<Item = Self> + Clone {
        let rows = SUBRESOURCES.iter();
        let mut all: Vec<_> = rows
            .flat_map(|row| row.bucket.into_iter().chain(row.object).chain([row.list]))
            .chain(PLAIN)
            .chain([Self::UPLOAD_PART_COPY.0, Self::UNKNOWN.0])
            .filter(|name| !name.is_empty())
            .map(Self)
            .collect();
        all.sort();
        all.dedup();
        all.into_iter()
    }

    /// By its name in the API reference; `None` for what requests are never taken for.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|operation| operation.0 == name)
    }

    /// Whether it gets an object or what is kept of it, or puts one or a part of one; `None` for
    /// lists, deletes, and all that is about buckets.
    pub fn access(self) -> Option<Transfer> {
        match self.0 {
            "GetObject"
            | "HeadObject"
            | "GetObjectAttributes"
            | "SelectObjectContent"
            | "GetObjectTorrent" => Some(Transfer::Read),
            "PutObject"
            | "CopyObject"
            | "PostObject"
            | "CreateMultipartUpload"
            | "UploadPart"
            | "UploadPartCopy"
            | "CompleteMultipartUpload" => Some(Transfer::Write),
            _ => None,
        }
    }

    /// What its messages can carry.
    pub fn carries(self) -> Carries {
        let [request_mode, request_customer_key, response_mode, response_customer_key] =
            match self.0 {
                "PutObject" | "CreateMultipartUpload" | "CopyObject" => [true, true, true, true],
                "CreateSession" => [true, false, true, false],
                "UploadPart" | "UploadPartCopy" => [false, true, true, true],
                "GetObject" | "HeadObject" => [false, true, true, true],
                "CompleteMultipartUpload" => [false, true, true, false],
                // The form's fields are in the body, which is not read.
                "PostObject" => [false, false, true, false],
                "GetObjectAttributes" | "ListParts" | "SelectObjectContent" => {
                    [false, true, false, false]
                }
                _ => [false; 4],
            };
        Carries { request_mode, request_customer_key, response_mode, response_customer_key }
    }
}

/// What a request's target points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Service,
    Bucket,
    Object,
}

/// What tells operations on the same place apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Signature<'h> {
    pub(super) method: &'h str,
    /// The first row of the table whose key the query holds.
    pub(super) subresource: Option<Subresource>,
    /// Whether the query holds `id`, which names one of several configurations.
    pub(super) one_of_several: bool,
    /// Whether there is an `x-amz-copy-source`.
    pub(super) copy: bool,
    /// Whether the body is a browser form (`multipart/form-data`).
    pub(super) form: bool,
}

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Subresource(u8);

impl Subresource {
    /// By the query's key, which is case-sensitive.
    pub(super) fn of(key: &str) -> Option<Self> {
        SUBRESOURCES.iter().position(|row| row.key == key).map(|row| Self(row as u8))
    }
}

impl Signature<'_> {
    /// The operation on `place`; `None` where the API has none.
    pub(super) fn on(&self, place: Place) -> Option<Operation> {
        self.named(place).or_else(|| self.plain(place))
    }

    /// The operation that the query names.
    pub(super) fn named(&self, place: Place) -> Option<Operation> {
        let row = &SUBRESOURCES[usize::from(self.subresource?.0)];
        let names = match place {
            Place::Service => return None,
            Place::Bucket => &row.bucket,
            Place::Object => &row.object,
        };
        let name = match self.method {
            "GET" if !self.one_of_several && row.several => row.list,
            "GET" => names[0],
            "PUT" if self.copy && names[1] == "UploadPart" => "UploadPartCopy",
            "PUT" => names[1],
            "POST" => names[2],
            "DELETE" => names[3],
            _ => "",
        };
        (!name.is_empty()).then_some(Operation(name))
    }

    /// The operation of a query that names none: those in [`PLAIN`].
    fn plain(&self, place: Place) -> Option<Operation> {
        let name = match (place, self.method) {
            (Place::Service, "GET") => "ListBuckets",
            (Place::Bucket, "GET") => "ListObjects",
            (Place::Bucket, "HEAD") => "HeadBucket",
            (Place::Bucket, "PUT") => "CreateBucket",
            (Place::Bucket, "DELETE") => "DeleteBucket",
            (Place::Bucket, "POST") if self.form => "PostObject",
            (Place::Object, "GET") => "GetObject",
            (Place::Object, "HEAD") => "HeadObject",
            (Place::Object, "PUT") if self.copy => "CopyObject",
            (Place::Object, "PUT") => "PutObject",
            (Place::Object, "DELETE") => "DeleteObject",
            _ => return None,
        };
        Some(Operation(name))
    }
}

/// What [`Signature::plain`] gives.
const PLAIN: [&str; 11] = [
    "ListBuckets",
    "ListObjects",
    "HeadBucket",
    "CreateBucket",
    "DeleteBucket",
    "PostObject",
    "GetObject",
    "HeadObject",
    "CopyObject",
    "PutObject",
    "DeleteObject",
];

/// A query key that names an operation. Names stand for GET, PUT, POST, DELETE; `""` where the
/// method has no such operation.
struct Row {
    key: &'static str,
    bucket: [&'static str; 4],
    object: [&'static str; 4],
    /// Whether a bucket has several of these, told apart by `id`.
    several: bool,
    /// GET without `id`, of these.
    list: &'static str,
}

const NONE: [&str; 4] = [""; 4];

const fn on_bucket(key: &'static str, bucket: [&'static str; 4]) -> Row {
    Row { key, bucket, object: NONE, several: false, list: "" }
}

const fn on_object(key: &'static str, object: [&'static str; 4]) -> Row {
    Row { key, bucket: NONE, object, several: false, list: "" }
}

const fn on_both(key: &'static str, bucket: [&'static str; 4], object: [&'static str; 4]) -> Row {
    Row { key, bucket, object, several: false, list: "" }
}

const fn several(key: &'static str, list: &'static str, bucket: [&'static str; 4]) -> Row {
    Row { key, bucket, object: NONE, several: true, list }
}

/// In the order in which they decide, where a query holds several.
#[rustfmt::skip]
const SUBRESOURCES: &[Row] = &[
    on_object("uploadId", ["ListParts", "UploadPart", "CompleteMultipartUpload", "AbortMultipartUpload"]),
    on_both("uploads", ["ListMultipartUploads", "", "", ""], ["", "", "CreateMultipartUpload", ""]),
    on_both("acl", ["GetBucketAcl", "PutBucketAcl", "", ""], ["GetObjectAcl", "PutObjectAcl", "", ""]),
    on_both("tagging",
        ["GetBucketTagging", "PutBucketTagging", "", "DeleteBucketTagging"],
        ["GetObjectTagging", "PutObjectTagging", "", "DeleteObjectTagging"]),
    on_both("encryption",
        ["GetBucketEncryption", "PutBucketEncryption", "", "DeleteBucketEncryption"],
        ["", "UpdateObjectEncryption", "", ""]),
    on_object("annotation", ["GetObjectAnnotation", "PutObjectAnnotation", "", "DeleteObjectAnnotation"]),
    on_object("annotations", ["ListObjectAnnotations", "", "", ""]),
    on_object("attributes", ["GetObjectAttributes", "", "", ""]),
    on_object("legal-hold", ["GetObjectLegalHold", "PutObjectLegalHold", "", ""]),
    on_object("renameObject", ["", "RenameObject", "", ""]),
    on_object("restore", ["", "", "RestoreObject", ""]),
    on_object("retention", ["GetObjectRetention", "PutObjectRetention", "", ""]),
    on_object("select", ["", "", "SelectObjectContent", ""]),
    on_object("torrent", ["GetObjectTorrent", "", "", ""]),
    on_bucket("delete", ["", "", "DeleteObjects", ""]),
    on_bucket("session", ["CreateSession", "", "", ""]),
    on_bucket("list-type", ["ListObjectsV2", "", "", ""]),
    on_bucket("versions", ["ListObjectVersions", "", "", ""]),
    on_bucket("location", ["GetBucketLocation", "", "", ""]),
    on_bucket("abac", ["GetBucketAbac", "PutBucketAbac", "", ""]),
    on_bucket("accelerate", ["GetBucketAccelerateConfiguration", "PutBucketAccelerateConfiguration", "", ""]),
    several("analytics", "ListBucketAnalyticsConfigurations",
        ["GetBucketAnalyticsConfiguration", "PutBucketAnalyticsConfiguration", "", "DeleteBucketAnalyticsConfiguration"]),
    on_bucket("cors", ["GetBucketCors", "PutBucketCors", "", "DeleteBucketCors"]),
    several("intelligent-tiering", "ListBucketIntelligentTieringConfigurations",
        ["GetBucketIntelligentTieringConfiguration", "PutBucketIntelligentTieringConfiguration", "",
         "DeleteBucketIntelligentTieringConfiguration"]),
    several("inventory", "ListBucketInventoryConfigurations",
        ["GetBucketInventoryConfiguration", "PutBucketInventoryConfiguration", "", "DeleteBucketInventoryConfiguration"]),
    on_bucket("lifecycle",
        ["GetBucketLifecycleConfiguration", "PutBucketLifecycleConfiguration", "", "DeleteBucketLifecycle"]),
    on_bucket("logging", ["GetBucketLogging", "PutBucketLogging", "", ""]),
    on_bucket("metadataConfiguration",
        ["GetBucketMetadataConfiguration", "", "CreateBucketMetadataConfiguration", "DeleteBucketMetadataConfiguration"]),
    on_bucket("metadataTable",
        ["GetBucketMetadataTableConfiguration", "", "CreateBucketMetadataTableConfiguration",
         "DeleteBucketMetadataTableConfiguration"]),
    several("metrics", "ListBucketMetricsConfigurations",
        ["GetBucketMetricsConfiguration", "PutBucketMetricsConfiguration", "", "DeleteBucketMetricsConfiguration"]),
    on_bucket("notification", ["GetBucketNotificationConfiguration", "PutBucketNotificationConfiguration", "", ""]),
    on_bucket("object-lock", ["GetObjectLockConfiguration", "PutObjectLockConfiguration", "", ""]),
    on_bucket("ownershipControls",
        ["GetBucketOwnershipControls", "PutBucketOwnershipControls", "", "DeleteBucketOwnershipControls"]),
    on_bucket("policy", ["GetBucketPolicy", "PutBucketPolicy", "", "DeleteBucketPolicy"]),
    on_bucket("policyStatus", ["GetBucketPolicyStatus", "", "", ""]),
    on_bucket("publicAccessBlock",
        ["GetPublicAccessBlock", "PutPublicAccessBlock", "", "DeletePublicAccessBlock"]),
    on_bucket("replication", ["GetBucketReplication", "PutBucketReplication", "", "DeleteBucketReplication"]),
    on_bucket("requestPayment", ["GetBucketRequestPayment", "PutBucketRequestPayment", "", ""]),
    on_bucket("versioning", ["GetBucketVersioning", "PutBucketVersioning", "", ""]),
    on_bucket("website", ["GetBucketWebsite", "PutBucketWebsite", "", "DeleteBucketWebsite"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(place: Place, method: &str, keys: &[&str]) -> &'static str {
        let subresource = keys.iter().filter_map(|key| Subresource::of(key)).min();
        let one_of_several = keys.contains(&"id");
        let signature = Signature { method, subresource, one_of_several, ..Signature::default() };
        signature.on(place).map_or("-", Operation::as_str)
    }

    #[test]
    fn method_place_and_query_give_the_operation() {
        use Place::*;
        let cases: &[(Place, &str, &[&str], &str)] = &[
            (Service, "GET", &[], "ListBuckets"),
            (Bucket, "GET", &[], "ListObjects"),
            (Bucket, "GET", &["prefix", "list-type"], "ListObjectsV2"),
            (Bucket, "GET", &["uploads"], "ListMultipartUploads"),
            (Bucket, "GET", &["metrics"], "ListBucketMetricsConfigurations"),
            (Bucket, "GET", &["metrics", "id"], "GetBucketMetricsConfiguration"),
            (Bucket, "PUT", &[], "CreateBucket"),
            (Bucket, "PUT", &["encryption"], "PutBucketEncryption"),
            (Bucket, "POST", &["delete"], "DeleteObjects"),
            (Bucket, "GET", &["session"], "CreateSession"),
            (Object, "GET", &["versionId", "response-content-type"], "GetObject"),
            (Object, "GET", &["partNumber"], "GetObject"),
            (Object, "GET", &["uploadId"], "ListParts"),
            (Object, "HEAD", &["versionId"], "HeadObject"),
            (Object, "PUT", &["unheard-of"], "PutObject"),
            (Object, "PUT", &["partNumber", "uploadId"], "UploadPart"),
            (Object, "POST", &["uploads"], "CreateMultipartUpload"),
            (Object, "POST", &["uploadId"], "CompleteMultipartUpload"),
            (Object, "DELETE", &["uploadId"], "AbortMultipartUpload"),
            (Object, "PUT", &["encryption"], "UpdateObjectEncryption"),
            (Object, "POST", &[], "-"),
            (Object, "OPTIONS", &[], "-"),
        ];
        for (place, method, keys, expected) in cases {
            assert_eq!(operation(*place, method, keys), *expected, "{method} {place:?} {keys:?}");
        }
    }

    #[test]
    fn a_copy_is_an_operation_of_its_own() {
        let copy = |subresource| {
            let signature =
                Signature { method: "PUT", subresource, copy: true, ..Signature::default() };
            signature.on(Place::Object).map(Operation::as_str)
        };
        assert_eq!(copy(None), Some("CopyObject"));
        assert_eq!(copy(Subresource::of("uploadId")), Some("UploadPartCopy"));
        assert_eq!(copy(Subresource::of("acl")), Some("PutObjectAcl"));
    }

    #[test]
    fn every_operation_is_known_by_its_name() {
        for place in [Place::Service, Place::Bucket, Place::Object] {
            for method in ["GET", "PUT", "POST", "DELETE", "HEAD"] {
                for (copy, form) in [(false, false), (true, false), (false, true)] {
                    for key in SUBRESOURCES.iter().map(|row| row.key).chain([""]) {
                        let subresource = Subresource::of(key);
                        let all =
                            Signature { method, subresource, copy, form, ..Signature::default() };
                        for one_of_several in [false, true] {
                            let operation = Signature { one_of_several, ..all }.on(place);
                            let named = operation.and_then(|o| Operation::named(o.as_str()));
                            assert_eq!(named, operation);
                        }
                    }
                }
            }
        }
        assert_eq!(Operation::named("unknown"), Some(Operation::UNKNOWN));
        assert_eq!(Operation::named("getobject"), None);
    }

    #[test]
    fn every_name_that_carries_something_can_come_out_of_the_table() {
        let names = SUBRESOURCES.iter().flat_map(|row| row.bucket.iter().chain(&row.object));
        let carrying = names.filter(|name| Operation(name).carries() != Carries::default());
        let mut carrying: Vec<_> = carrying.collect();
        carrying.sort();
        let expected = [
            "CompleteMultipartUpload",
            "CreateMultipartUpload",
            "CreateSession",
            "GetObjectAttributes",
            "ListParts",
            "SelectObjectContent",
            "UploadPart",
        ];
        assert!(carrying.iter().copied().eq(expected.iter()), "{carrying:?}");
    }
}
