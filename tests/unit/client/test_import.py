"""What the client loads in a program that imports it."""

from support.loaded_modules import loaded_modules


def test_the_client_loads_no_aws_no_openai_and_no_powertools() -> None:
    loaded = {name.partition(".")[0] for name in loaded_modules("upcall.client")}

    assert "httpx" in loaded
    assert not loaded & {
        "aws_lambda_powertools",
        "boto3",
        "botocore",
        "cli",
        "httpx2",
        "local",
        "moto",
        "openai",
    }
