"""A real S3 client (boto3) that writes down what it says and hears.

usage: client.py ENDPOINT RECORD PART...

Does what S3 clients do, under every mode, on connections of its own and on several at once. RECORD
gets a line of JSON for each exchange: the operation by boto3's name, and what its HTTP library was
given to send, and gave back. An upload has parts of PART bytes.
"""
import http.client
import io
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

SSE = 'x-amz-server-side-encryption'
FAMILY = (SSE, SSE + '-customer-algorithm')
ENDPOINT, RECORD, *PARTS = sys.argv[1:]
PARTS = [int(part) for part in PARTS]

# Recording.

record = open(RECORD, 'w')
lock = threading.Lock()
doing = threading.local()
HTTP = http.client.HTTPConnection
putrequest, putheader, getresponse = HTTP.putrequest, HTTP.putheader, HTTP.getresponse


def begin(self, method, url, *rest, **named):
    self.sealwatch = dict(method=method, target=url, sent={})
    return putrequest(self, method, url, *rest, **named)


def say(self, header, *values):
    text = [value.decode() if isinstance(value, bytes) else str(value) for value in values]
    self.sealwatch['sent'][header.lower()] = ','.join(text)
    return putheader(self, header, *values)


def hear(self):
    # The port, as long as there is a connection to ask.
    port = self.sock.getsockname()[1]
    response = getresponse(self)
    heard = {name.lower(): value for name, value in response.headers.items()}
    sent = self.sealwatch.pop('sent')
    line = dict(
        self.sealwatch, operation=doing.operation, status=response.status, client_port=port,
        host=sent['host'], asked={name: sent[name] for name in FAMILY if name in sent},
        answered={name: heard[name] for name in FAMILY if name in heard},
        sent_length=sent.get('content-length'), heard_length=heard.get('content-length'))
    with lock:
        record.write(json.dumps(line) + '\n')
    return response


HTTP.putrequest, HTTP.putheader, HTTP.getresponse = begin, say, hear


def client():
    s3 = boto3.client(
        's3', endpoint_url=ENDPOINT, region_name='us-east-1', aws_access_key_id='AKIDEXAMPLE',
        aws_secret_access_key='not-a-secret',
        config=Config(s3=dict(addressing_style='path'), retries=dict(total_max_attempts=1)))
    name = lambda event_name, **_: setattr(doing, 'operation', event_name.split('.')[-1])
    s3.meta.events.register('before-send.s3', name)
    return s3


# Talking.

KEY = dict(SSECustomerAlgorithm='AES256', SSECustomerKey='0123456789abcdef0123456789abcdef')
MODES = dict(
    none={}, aes=dict(ServerSideEncryption='AES256'), kms=dict(ServerSideEncryption='aws:kms'),
    dsse=dict(ServerSideEncryption='aws:kms:dsse'), customer=KEY)


def refused(call, **arguments):
    try:
        call(**arguments)
    except ClientError:
        return
    raise AssertionError('it was not refused')


def objects(s3, bucket, size):
    for name, mode in MODES.items():
        at = dict(Bucket=bucket, Key=name)
        get = mode if mode is KEY else {}
        s3.put_object(**at, Body=name.encode() * size, **mode)
        assert len(s3.get_object(**at, **get)['Body'].read()) == len(name) * size
        s3.head_object(**at, **get)
    # From a stream, which boto3 announces, and waits to be told to go on.
    s3.put_object(Bucket=bucket, Key='stream', Body=io.BytesIO(b's' * size), **MODES['aes'])
    s3.copy_object(Bucket=bucket, Key='copy', CopySource=f'{bucket}/aes', **MODES['kms'])
    refused(s3.get_object, Bucket=bucket, Key='absent')
    refused(s3.head_object, Bucket=bucket, Key='absent')
    refused(s3.put_object, Bucket=bucket + '-absent', Key='key', Body=b'', **MODES['aes'])
    s3.list_objects_v2(Bucket=bucket)
    s3.delete_object(Bucket=bucket, Key='none')


def parts(s3, bucket):
    at = dict(Bucket=bucket, Key='large')
    upload = dict(at, UploadId=s3.create_multipart_upload(**at, **MODES['kms'])['UploadId'])
    tags = []
    for number, size in enumerate(PARTS, 1):
        part = s3.upload_part(**upload, PartNumber=number, Body=b'p' * size)
        tags.append(dict(PartNumber=number, ETag=part['ETag']))
    s3.complete_multipart_upload(**upload, MultipartUpload=dict(Parts=tags))
    got = s3.get_object(**at)['Body'].read()
    assert got == b'p' * sum(PARTS)
    given_up = s3.create_multipart_upload(**at, **MODES['aes'])
    s3.abort_multipart_upload(**at, UploadId=given_up['UploadId'])


def default(s3, bucket):
    rule = dict(ApplyServerSideEncryptionByDefault=dict(SSEAlgorithm='AES256'))
    s3.put_bucket_encryption(
        Bucket=bucket, ServerSideEncryptionConfiguration=dict(Rules=[rule]))
    s3.put_object(Bucket=bucket, Key='by-default', Body=b'd' * 100)
    s3.get_object(Bucket=bucket, Key='by-default')['Body'].read()


def talk(number):
    s3, bucket = client(), f'bucket-{number}-{threading.get_native_id()}'
    s3.create_bucket(Bucket=bucket)
    objects(s3, bucket, 10 ** number)
    if number == 1:
        parts(s3, bucket)
    default(s3, bucket)
    s3.close()


with ThreadPoolExecutor(3) as pool:
    list(pool.map(talk, range(1, 5)))
record.close()
