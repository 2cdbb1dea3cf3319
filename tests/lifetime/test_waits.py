"""What letgo knows of other libraries: which calls wait, which only look as if they did."""

import time

import pytest

from letgo.holds import WaitKind
from letgo.lifetime.libraries import WAITS
from letgo.lifetime.waits import Waits

EXTERNAL, SLEEP, PROCESS, COMPUTE = WaitKind.EXTERNAL, WaitKind.SLEEP, WaitKind.PROCESS, WaitKind.COMPUTE
WAITS_BY_DEFAULT = Waits.default()


@pytest.mark.parametrize(
    "dotted",
    [
        "httpx.get",
        "httpx.AsyncClient.post",
        "httpx.Response.aiter_lines",
        "requests.get",
        "requests.Session.post",
        "requests.session.post",
        "aiohttp.ClientSession.get",
        "aiohttp.ClientResponse.json",
        "urllib.request.urlopen",
        "urllib3.PoolManager.request",
        "http.client.HTTPSConnection.getresponse",
        "openai.OpenAI.chat.completions.create",
        "openai.OpenAI.with_options.responses.create",
        "anthropic.AsyncAnthropic.messages.stream",
        "litellm.acompletion",
        "langchain_openai.ChatOpenAI.ainvoke",
        "langchain_openai.ChatOpenAI.bind_tools.invoke",
        "langchain_community.vectorstores.FAISS.from_documents",
        "langgraph.graph.StateGraph.compile.astream",
        "pydantic_ai.Agent.run_sync",
        "boto3.client.put_object",
        "boto3.client.get_paginator.paginate",
        "boto3.resource.Bucket.upload_file",
        "aioboto3.Session.client.get_object",
        "minio.Minio.put_object",
        "google.cloud.storage.Client.bucket.blob.upload_from_string",
        "google.genai.Client.models.generate_content",
        "googleapiclient.discovery.build.users.messages.list.execute",
        "azure.storage.blob.BlobServiceClient.get_blob_client.upload_blob",
        "stripe.Charge.create",
        "slack_sdk.WebClient.chat_postMessage",
        "github.Github.get_repo.get_pulls",
        "jira.JIRA",
        "smtplib.SMTP",
        "smtplib.SMTP.sendmail",
        "fastapi_mail.FastMail.send_message",
        "kubernetes.client.CoreV1Api.list_namespaced_pod",
        "docker.from_env.containers.run",
        "elasticsearch.Elasticsearch.search",
        "qdrant_client.QdrantClient.query_points",
        "pymongo.MongoClient.db.users.find_one",
        "psycopg.connect",
        "psycopg.connect.cursor.execute",
        "asyncpg.create_pool.acquire.fetch",
        "app.protos.greeter_pb2_grpc.GreeterStub.SayHello",
        "zeep.Client.service.GetRates",
        "mcp.ClientSession.call_tool",
        "mcp.client.streamable_http.streamablehttp_client",
        "jwt.PyJWKClient.get_signing_key_from_jwt",
        "fastapi.WebSocket.receive_text",
        "safe_eth.eth.clients.AsyncBlockscoutClient.async_get_contract_metadata",
        "nats.connect",
    ],
)
def test_a_call_to_another_service_waits(dotted: str) -> None:
    assert WAITS_BY_DEFAULT.wait_of(dotted) is EXTERNAL


@pytest.mark.parametrize(
    ("dotted", "kind"),
    [
        ("time.sleep", SLEEP),
        ("asyncio.sleep", SLEEP),
        ("anyio.sleep", SLEEP),
        ("asyncio.Event.wait", SLEEP),
        ("asyncio.Lock.__aenter__", SLEEP),
        ("threading.Thread.join", SLEEP),
        ("queue.Queue.get", SLEEP),
        ("concurrent.futures.Future.result", SLEEP),
        ("concurrent.futures.ThreadPoolExecutor.submit.result", SLEEP),
        ("celery.result.AsyncResult.get", SLEEP),
        ("celery.Celery.send_task.get", SLEEP),
        ("redis.asyncio.Redis.blpop", SLEEP),
        ("redis.Redis.lock.acquire", SLEEP),
        ("redis.from_url.pubsub.listen", SLEEP),
        ("ray.get", SLEEP),
        ("filelock.FileLock.__enter__", SLEEP),
        ("subprocess.run", PROCESS),
        ("subprocess.Popen.communicate", PROCESS),
        ("asyncio.create_subprocess_exec", PROCESS),
        ("asyncio.create_subprocess_exec.communicate", PROCESS),
        ("os.system", PROCESS),
        ("multiprocessing.Pool.map", PROCESS),
        ("bcrypt.hashpw", COMPUTE),
        ("passlib.context.CryptContext.verify", COMPUTE),
        ("argon2.PasswordHasher.hash", COMPUTE),
        ("hashlib.pbkdf2_hmac", COMPUTE),
        ("pandas.read_excel", COMPUTE),
        ("PIL.Image.open.resize", COMPUTE),
        ("openpyxl.load_workbook", COMPUTE),
        ("sentence_transformers.SentenceTransformer.encode", COMPUTE),
        ("transformers.AutoModel.from_pretrained", COMPUTE),
    ],
)
def test_sleeping_processes_and_hard_work_are_told_apart(dotted: str, kind: WaitKind) -> None:
    assert WAITS_BY_DEFAULT.wait_of(dotted) is kind


@pytest.mark.parametrize(
    "dotted",
    [
        "httpx.AsyncClient",
        "httpx.URL",
        "httpx.URL.join",
        "httpx.AsyncClient.build_request",
        "httpx.AsyncClient.aclose",
        "httpx.AsyncClient.headers.update",
        "httpx.Response.json",
        "httpx.HTTPStatusError.response.json",
        "requests.Session.mount",
        "requests.Session.headers.update",
        "requests.Response.json",
        "requests.utils.quote",
        "web3._utils.abi.get_abi_input_names",
        "aiohttp.web.json_response",
        "openai.OpenAI.with_options",
        "openai.types.chat.ChatCompletion.model_dump",
        "langchain_core.prompts.ChatPromptTemplate.invoke",
        "langchain_core.prompts.ChatPromptTemplate.from_messages",
        "boto3.client",
        "boto3.client.generate_presigned_url",
        "boto3.client.exceptions.NoSuchKey",
        "google.cloud.storage.Client.bucket",
        "googleapiclient.discovery.build.users.messages.list",
        "stripe.Webhook.construct_event",
        "stripe.Charge.metadata.get",
        "github.Issue.Issue.updated_at.replace",
        "asyncio.create_subprocess_exec.terminate",
        "twilio.request_validator.RequestValidator.validate",
        "redis.Redis.get",
        "redis.asyncio.Redis.pipeline.execute",
        "celery.Celery.send_task",
        "sentry_sdk.capture_exception",
        "opentelemetry.trace.get_tracer",
        "logging.getLogger.info",
        "sqlalchemy.orm.Session.execute",
        "sqlite3.connect",
        "queue.Queue.get_nowait",
        "threading.Lock.__enter__",
        "asyncio.create_task",
        "asyncio.to_thread",
        "hashlib.sha256",
        "subprocess.Popen.poll",
        "builtins.open",
        "open",
        "some_library.Client.post",
        "",
    ],
)
def test_making_a_client_and_asking_it_nothing_is_no_wait(dotted: str) -> None:
    assert WAITS_BY_DEFAULT.wait_of(dotted) is None


@pytest.mark.parametrize(
    "dotted",
    [
        "httpx.AsyncClient",
        "requests.session",
        "boto3.client",
        "boto3.resource.Bucket",
        "aioboto3.Session.client",
        "openai.AsyncOpenAI",
        "openai.OpenAI.with_options",
        "redis.from_url",
        "redis.Redis.from_url",
        "redis.asyncio.Redis.pubsub",
        "smtplib.SMTP",
        "grpc.insecure_channel",
        "docker.from_env",
        "threading.Event",
        "google.cloud.storage.Client.bucket.blob",
        "azure.storage.blob.BlobServiceClient.from_connection_string",
        "protos.greeter_pb2_grpc.GreeterStub",
        "asyncio.create_subprocess_exec",
        "psycopg.connect",
    ],
)
def test_what_makes_a_client_is_known_by_its_class_or_its_factory(dotted: str) -> None:
    assert WAITS_BY_DEFAULT.makes_client(dotted)


@pytest.mark.parametrize(
    "dotted",
    [
        "httpx.AsyncClient.get",
        "httpx.HTTPError",
        "httpx.URL",
        "unknown.Client",
        "boto3.client.get_object",
        "googleapiclient.discovery.build.files.list.execute",
        "supabase.create_client.table.select.execute",
    ],
)
def test_the_result_of_a_request_is_no_client(dotted: str) -> None:
    assert not WAITS_BY_DEFAULT.makes_client(dotted)


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("http_client", "get"),
        ("_client", "post"),
        ("search_client", "request"),
        ("llm", "ainvoke"),
        ("s3", "upload_fileobj"),
        ("mailer", "send"),
        ("embedder", "embed_documents"),
    ],
)
def test_a_receiver_named_like_a_client_is_trusted_with_a_clients_verb(name: str, method: str) -> None:
    assert WAITS_BY_DEFAULT.named_like_client(name, method)


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("client", "get"),
        ("client", "name"),
        ("redis_client", "post"),
        ("test_client", "post"),
        ("cache_client", "fetch"),
        ("session", "post"),
        ("session", "get"),
        ("db", "delete"),
        ("queue", "put"),
        ("service", "send"),
        ("params", "get"),
    ],
)
def test_a_name_alone_is_not_enough(name: str, method: str) -> None:
    assert not WAITS_BY_DEFAULT.named_like_client(name, method)


@pytest.mark.parametrize(
    ("dotted", "index"),
    [
        ("asyncio.to_thread", 0),
        ("asyncio.get_running_loop.run_in_executor", 1),
        ("starlette.concurrency.run_in_threadpool", 0),
        ("fastapi.concurrency.run_in_threadpool", 0),
        ("anyio.to_thread.run_sync", 0),
        ("asgiref.sync.sync_to_async", 0),
        ("sqlalchemy.ext.asyncio.AsyncSession.run_sync", 0),
        ("functools.partial", None),
        ("asyncio.TaskGroup.create_task", 0),
        ("anyio.create_task_group.start_soon", 0),
        ("asyncio.create_task", None),
    ],
)
def test_a_thread_hop_or_a_group_of_tasks_runs_its_function_in_place(dotted: str, index: int | None) -> None:
    assert WAITS_BY_DEFAULT.runs_function(dotted) == index


@pytest.mark.parametrize(
    ("dotted", "index", "keyword"),
    [
        ("asyncio.create_task", 0, "coro"),
        ("asyncio.ensure_future", 0, "coro"),
        ("asyncio.get_running_loop.call_later", 1, "callback"),
        ("anyio.abc.TaskGroup.start_soon", 0, "func"),
        ("threading.Thread", 1, "target"),
        ("fastapi.BackgroundTasks.add_task", 0, "func"),
        ("fastapi.background.BackgroundTasks.add_task", 0, "func"),
        ("starlette.background.BackgroundTask", 0, "func"),
        ("concurrent.futures.ThreadPoolExecutor.submit", 0, "fn"),
    ],
)
def test_a_task_runs_its_function_later(dotted: str, index: int, keyword: str) -> None:
    assert WAITS_BY_DEFAULT.starts_task(dotted) == index
    assert WAITS_BY_DEFAULT.keyword_of(dotted) == keyword
    assert WAITS_BY_DEFAULT.runs_function(dotted) is None


def test_a_partial_runs_its_function_when_it_is_called() -> None:
    assert WAITS_BY_DEFAULT.makes_callable("functools.partial") == 0
    assert WAITS_BY_DEFAULT.makes_callable("functools.wraps") is None


@pytest.mark.parametrize("dotted", ["list", "builtins.sum", "str.join", "sorted", "next", "asyncio.gather"])
def test_lazy_arguments_are_drained_by_what_reads_them_to_the_end(dotted: str) -> None:
    assert WAITS_BY_DEFAULT.drains(dotted)


@pytest.mark.parametrize("dotted", ["map", "zip", "enumerate", "asyncio.create_task", "print", "isinstance"])
def test_lazy_arguments_stay_lazy_where_they_are_only_passed_on(dotted: str) -> None:
    assert not WAITS_BY_DEFAULT.drains(dotted)


@pytest.mark.parametrize(
    ("dotted", "kind"),
    [
        ("fastapi.responses.StreamingResponse", "stream"),
        ("starlette.responses.FileResponse", "stream"),
        ("sse_starlette.EventSourceResponse", "stream"),
        ("sse_starlette.sse.EventSourceResponse", "stream"),
        ("fastapi.templating.Jinja2Templates.TemplateResponse", "template"),
        ("jinja2.Environment.get_template.render", "template"),
        ("jinja2.Template.render_async", "template"),
        ("fastapi.responses.RedirectResponse", "redirect"),
        ("fastapi.responses.ORJSONResponse", "plain"),
        ("fastapi.Response", "plain"),
        ("requests.Response", None),
        ("httpx.Response", None),
        ("rich.console.Console.render", None),
    ],
)
def test_responses_are_sorted_by_what_happens_to_their_body(dotted: str, kind: str | None) -> None:
    assert WAITS_BY_DEFAULT.response_of(dotted) == kind


@pytest.mark.parametrize("template", ["jinja2.Environment", "jinja2.Environment.get_template"])
def test_the_way_from_an_environment_to_a_rendered_template_is_followed(template: str) -> None:
    assert WAITS_BY_DEFAULT.makes_client(template)


def test_a_projects_own_words_win_over_the_table() -> None:
    waits = Waits.with_extensions({"acme.llm": EXTERNAL, "redis.Redis.get": EXTERNAL}, ["openai", "acme.llm.Prompt"])
    assert waits.wait_of("acme.llm.Model.complete") is EXTERNAL
    assert waits.makes_client("acme.llm.Model")
    assert waits.wait_of("acme.llm.Prompt.render") is None
    assert waits.wait_of("redis.Redis.get") is EXTERNAL
    assert waits.wait_of("openai.OpenAI.chat.completions.create") is None
    assert waits.wait_of("httpx.get") is EXTERNAL


def test_every_row_can_decide_something() -> None:
    """A pattern whose plainest reading another row overrules, or that was mistyped, says nothing."""
    for row in WAITS:
        plain = [part.split("|")[0].replace("*", "x") for part in row.pattern.split(".") if part != "**"]
        made = row.makes.replace("*", "x").split()
        below = ".".join([*plain, made[0].removesuffix("!") if made else "wait_here"])
        kind = WAITS_BY_DEFAULT.wait_of(below) or WAITS_BY_DEFAULT.wait_of(".".join(plain))
        assert kind is row.kind or (made and WAITS_BY_DEFAULT.makes_client(below)), row


def test_an_iteration_that_waits_for_messages_is_known_by_its_method() -> None:
    assert WAITS_BY_DEFAULT.wait_of("websockets.connect.__iter__") is EXTERNAL
    assert WAITS_BY_DEFAULT.wait_of("aiokafka.AIOKafkaConsumer.__iter__") is EXTERNAL
    assert WAITS_BY_DEFAULT.wait_of("httpx.AsyncClient.__aenter__") is None


def test_no_two_rows_say_the_same_thing_twice() -> None:
    patterns = [row.pattern for row in WAITS]
    assert len(patterns) == len(set(patterns))


def test_asking_is_fast() -> None:
    waits = Waits.default()
    names = [f"{root}.Client.method{number}" for root in ("httpx", "google", "unknown") for number in range(300)]
    began = time.perf_counter()
    for name in names * 5:
        waits.wait_of(name)
    assert time.perf_counter() - began < 1.0
