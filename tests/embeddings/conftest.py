import pytest


@pytest.fixture(scope="session")
def bucket():
    """A bucket of a real S3 server on this machine: the URL of a key in it, and its file system."""
    server = pytest.importorskip("moto.server", reason="moto[server] is not installed")
    from pyarrow.fs import S3FileSystem

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        running.start()
        host, port = running.get_host_and_port()
        options = f"endpoint_override={host}:{port}&scheme=http"
        files = S3FileSystem(
            endpoint_override=f"{host}:{port}", scheme="http", allow_bucket_creation=True
        )
        files.create_dir("lake")
        yield lambda key: f"s3://lake/{key}?{options}", files
        running.stop()
