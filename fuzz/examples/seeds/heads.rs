//! Heads of S3 requests and answers.

use crate::Seed;

const SEEDS: [(&str, &str); 10] = [
    (
        "put",
        "PUT /bucket/key HTTP/1.1\nHost: s3.eu-west-1.amazonaws.com\nx-amz-server-side-encryption: aws:kms\nx-amz-server-side-encryption-aws-kms-key-id: arn:aws:kms:r:1:key/2\nx-amz-server-side-encryption-bucket-key-enabled: true\nAuthorization: AWS4-HMAC-SHA256 Credential=AKIASECRETSECRET\n\nHTTP/1.1 200 OK\nx-amz-server-side-encryption: AES256\nETag: \"1\"\n\n",
    ),
    (
        "customer-key",
        "PUT /b/k HTTP/1.1\nHost: bucket.s3.amazonaws.com\nx-amz-server-side-encryption-customer-algorithm: AES256\nx-amz-server-side-encryption-customer-key: U2VjcmV0U2VjcmV0\nx-amz-server-side-encryption-customer-key-MD5: c2VjcmV0c2VjcmV0\n\nHTTP/1.1 200 OK\nx-amz-server-side-encryption-customer-algorithm: AES256\nx-amz-request-id: 1\n\n",
    ),
    (
        "copy",
        "PUT /b/k HTTP/1.1\nHost: h\nx-amz-copy-source: /b/other\nx-amz-copy-source-server-side-encryption-customer-key: U2VjcmV0U2VjcmV0\nx-amz-server-side-encryption: aws:kms:dsse\n\nHTTP/1.1 200 OK\nx-amz-server-side-encryption: aws:kms:dsse\n\n",
    ),
    (
        "multipart",
        "POST /b/k?uploads HTTP/1.1\nHost: objects.example:80\nx-amz-server-side-encryption: aes256\n\nHTTP/1.1 200 OK\nServer: AmazonS3\nx-amz-server-side-encryption: AES256\n\nPUT /b/k?partNumber=1&uploadId=2 HTTP/1.1\nHost: objects.example\nContent-Encoding: aws-chunked\nx-amz-decoded-content-length: 9\nx-amz-server-side-encryption: AES256\n\nHTTP/1.1 200 OK\nx-amz-server-side-encryption: AES256\nETag: \"2\"\n\nPOST /b/k?uploadId=2 HTTP/1.1\nHost: objects.example\n\nHTTP/1.1 200 OK\n\n",
    ),
    (
        "presigned",
        "GET /b/k?X-Amz-Signature=0123456789abcdef&X-Amz-Credential=AKIA%2Fabcdefgh&x-amz-server-side-encryption=AES256#fragment HTTP/1.1\nHost: H.\n\nHTTP/1.1 304 Not Modified\nx-amz-server-side-encryption: AES256\n\n",
    ),
    (
        "old-signature",
        "GET http://user:password1@b.objects.example/k?AWSAccessKeyId=ABCDEFGHIJ&Signature=abcdefghij&Expires=1 HTTP/1.0\n\nHTTP/1.1 403 Forbidden\nx-amz-request-id: 1\n\n",
    ),
    (
        "conflict",
        "PUT /b/k HTTP/1.1\nHost: a\nHost: b\nx-amz-server-side-encryption: AES256\nx-amz-server-side-encryption: aws:kms\namz-server-side-encryption: aws:backup\nx-amz-server-side-encryption-customer-algorithm: AES256\n\nHTTP/1.1 200 OK\nx-amz-server-side-encryption: aws:nonsense\n\n",
    ),
    (
        "undecided",
        "GET /one HTTP/1.1\nHost: cdn.example\n\nHTTP/1.1 200 OK\nETag: \"1\"\nX-Amz-Cf-Id: 1\nContent-Type: text/plain\nCache-Control: max-age=1\n\nPUT /one HTTP/1.1\nHost: cdn.example\nx-amz-server-side-encryption: aws:fsx\n\nHTTP/1.1 500 E\n\n",
    ),
    (
        "answers-alone",
        "HTTP/1.1 200 OK\nx-amz-server-side-encryption: aws:kms\nx-amz-server-side-encryption-aws-kms-key-id: k\n\nHTTP/1.1 200 OK\n\n--\nHTTP/1.1 404 Not Found\n\n",
    ),
    (
        "others",
        "POST /b HTTP/1.1\nHost: h\nContent-Type: multipart/form-data; boundary=a\nx-amz-date: 1\n\nHTTP/1.1 204 No\nx-amz-server-side-encryption: AES256\n\nGET /?session HTTP/1.1\nHost: b--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com\nx-amz-server-side-encryption: aws:kms\n\nHTTP/1.1 200 OK\nx-amz-server-side-encryption: aws:kms\n\nDELETE /b/k?acl HTTP/1.1\nHost: h\nx-amz-server-side-encryption: AES256\n\nCONNECT h:443 HTTP/1.1\nHost: h\n\n--\nGET /b/k?versionId=1 HTTP/1.1\nHost: h\n\n",
    ),
];

/// All of them.
pub(crate) fn all() -> Vec<Seed> {
    SEEDS.map(|(name, text)| ("s3", name.to_owned(), text.into())).to_vec()
}
