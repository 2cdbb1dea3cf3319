"""What is slow, and what other libraries' calls do with the functions given to them: data, read by `waits.py`.

To teach letgo a client library, add one row to `WAITS`. To make it known to a single project instead, name it under
`waits` in `[tool.letgo]`.

A *pattern* is the dotted name of a thing as its library exports it, through instances: a method of an
`httpx.AsyncClient()` is `httpx.AsyncClient.post`, and `openai.OpenAI().chat.completions.create` is
`openai.OpenAI.chat.completions.create`. A pattern covers everything below it, and the longest pattern that covers a
name decides. In a pattern `a|b` is either component, `*` any part of one component, `**` any number of components.
"""

from typing import Literal, NamedTuple, TypeAlias

from letgo.holds import WaitKind

EXTERNAL, SLEEP, PROCESS, COMPUTE = WaitKind.EXTERNAL, WaitKind.SLEEP, WaitKind.PROCESS, WaitKind.COMPUTE


class Row(NamedTuple):
    """Calls below `pattern` wait, with these exceptions (names are separated by blanks, `*` is any part of one).

    kind: None says that nothing below the pattern waits.
    harmless: names that do not wait, and below which nothing does: configuration, data, helpers that stay local.
    makes: calls that yield an object whose methods may wait. The making itself is harmless unless marked with `!`
        (`connect!`). They may include the last component of the pattern itself. Classes (an upper-case first letter)
        and alternative constructors (`X.from_url`) need not be named unless they wait.
    """

    pattern: str
    kind: WaitKind | None
    harmless: str = ""
    makes: str = ""


HARMLESS = (
    "close aclose types typing exceptions errors error is_* has_* parse_* build_* *_path "
    # the data of a library's objects, and what is called on such data
    "model_* to_dict to_json construct_from metadata headers payload url *_at keys values items setdefault append "
    "extend lower upper strip lstrip rstrip split splitlines startswith endswith format replace isoformat strftime"
)
"""Names that are harmless in every library."""

# fmt: off
WAITS: tuple[Row, ...] = (
    # --- HTTP -------------------------------------------------------------------------------------------------------
    Row(
        "httpx|httpx2|httpcore|httpcore2", EXTERNAL,
        "URL Headers QueryParams Cookies Timeout Limits Request Response *Transport headers cookies params "
        "event_hooks create_ssl_context codes",
    ),
    Row("httpx|httpx2.Response.aread|iter_*|aiter_*", EXTERNAL),
    Row(
        "requests|requests_cache|requests_oauthlib|niquests", EXTERNAL,
        "Response Request PreparedRequest auth cookies headers params proxies hooks mount prepare_request compat "
        "utils packages structures codes models adapters authorization_url session",
        "session Session OAuth2Session OAuth1Session",
    ),
    Row("requests|niquests.Response.iter_*", EXTERNAL),
    Row(
        "aiohttp|aiohttp_retry|aiohttp_client_cache", EXTERNAL,
        "web web_* test_utils hdrs helpers multipart FormData *Connector headers cookie_jar raise_for_status release",
    ),
    Row("urllib.request", EXTERNAL, "Request install_opener pathname2url url2pathname getproxies", "build_opener"),
    Row(
        "urllib3", EXTERNAL, "util fields filepost disable_warnings make_headers HTTPHeaderDict",
        "connection_from_url connection_from_host",
    ),
    Row("http.client.HTTPConnection|HTTPSConnection.connect|request|getresponse|endheaders|send", EXTERNAL),
    Row("curl_cffi|pycurl|httplib2|cloudscraper|treq|grequests", EXTERNAL, "", "create_scraper"),
    Row("websockets", EXTERNAL, "serve frames headers uri", "connect! unix_connect!"),
    Row("websockets.**.connect.__iter__", EXTERNAL),
    Row("websocket|wsproto.**.recv*|send*|create_connection|run_forever", EXTERNAL, "", "create_connection!"),
    Row("starlette.middleware.base.RequestResponseEndpoint.__call__", EXTERNAL),  # the rest of the app
    Row("fastapi|starlette.**.WebSocket.receive*|iter_*", EXTERNAL),  # waits for the browser to speak
    Row("authlib.integrations", EXTERNAL, "register create_authorization_url load_server_metadata_*", "create_client"),
    Row("oauthlib", None),
    Row("jwt.PyJWKClient", EXTERNAL),  # fetches the issuer's keys
    Row("zeep.Client|AsyncClient|CachingClient", EXTERNAL, "settings get_type get_element", "service bind"),
    Row("zeep.Client|AsyncClient|CachingClient.service", EXTERNAL, "", "*!"),  # operations are named in CamelCase
    Row("suds.client.Client.service", EXTERNAL, "", "*!"),
    Row("xmlrpc.client.ServerProxy", EXTERNAL, "", "*!"),
    Row("gql.**.execute|execute_async|subscribe|connect_*", EXTERNAL),
    Row("grpc", None, "", "insecure_channel secure_channel unary_* stream_*"),
    Row("grpc.**.channel_ready*", EXTERNAL),
    Row("**.*_pb2_grpc.*Stub", EXTERNAL, "", "*!"),  # a generated stub: every method is a remote call
    Row("feedparser|trafilatura|newspaper.**.parse|fetch_url|download", EXTERNAL),
    Row("yfinance|wikipedia|pandas_datareader|ddgs|duckduckgo_search|tavily|firecrawl|exa_py|serpapi", EXTERNAL),
    Row("geopy|googlemaps|ipinfo", EXTERNAL, "distance units point Point"),
    # --- sockets and older protocols --------------------------------------------------------------------------------
    Row("socket.create_connection|getaddrinfo|gethostbyname|gethostbyaddr|getfqdn", EXTERNAL, "", "create_connection!"),
    Row("socket", None, "", "socket create_connection"),
    Row("socket.socket|create_connection.connect|accept|recv*|send*", EXTERNAL),
    Row("asyncio.open_connection|open_unix_connection", EXTERNAL, "", "open_connection!"),
    Row("asyncio.StreamReader.read*", EXTERNAL),
    Row("anyio.connect_tcp|connect_unix|getaddrinfo", EXTERNAL),
    Row("ftplib", EXTERNAL, "set_*", "FTP! FTP_TLS!"),
    Row("imaplib|poplib|telnetlib", EXTERNAL, "Time2Internaldate Internaldate2tuple", "IMAP4*! POP3*! Telnet*!"),
    Row("paramiko", EXTERNAL, "set_* load_* RSAKey Ed25519Key ECDSAKey PKey Transport", "open_sftp!"),
    Row(
        "asyncssh|fabric|invoke|pysftp", EXTERNAL,
        "read_* import_* generate_private_key",
        "connect! start_sftp_client!",
    ),
    Row("dns.resolver|asyncresolver", EXTERNAL),
    Row("dns", None),
    Row("whois|pythonping|ping3|scapy", EXTERNAL),
    Row("email_validator.validate_email", EXTERNAL),  # looks the domain up unless told not to
    Row("ldap3", EXTERNAL, "utils Server ServerPool", "Connection"),
    Row("ldap", EXTERNAL, "filter dn set_option", "initialize"),
    # --- mail and messages ------------------------------------------------------------------------------------------
    Row("smtplib", EXTERNAL, "set_*", "SMTP! SMTP_SSL! LMTP!"),
    Row("aiosmtplib|fastapi_mail|yagmail|redmail", EXTERNAL, "MessageSchema ConnectionConfig template_engine"),
    Row("sendgrid|postmarker|mailgun|mailchimp_*|sib_api_v3_sdk|brevo_python|mailjet_rest", EXTERNAL, "helpers"),
    Row("resend|postmark|novu|knockapi|customerio|onesignal_sdk|pyfcm|aioapns|apns2|pywebpush", EXTERNAL),
    Row("twilio", EXTERNAL, "twiml request_validator jwt", "messages calls accounts services"),
    Row("vonage|messagebird|plivo|telnyx", EXTERNAL),
    Row(
        "slack_sdk", EXTERNAL, "models signature http_retry socket_mode_request_listeners",
    ),
    Row("slack", EXTERNAL, "signature"),
    Row("apprise.**.notify|async_notify", EXTERNAL),
    Row("slack_bolt.**.client|say|respond", EXTERNAL),
    Row("discord.**.send|reply|edit|delete|fetch_*|create_*|wait_for|add_roles|ban|kick", EXTERNAL),
    Row("telegram|telebot|aiogram.**.send_*|reply*|edit_*|answer*|forward*|get_*|download*|set_webhook", EXTERNAL),
    Row("tweepy|praw|asyncpraw|atproto|mastodon|facebook_business|instagrapi", EXTERNAL, "streaming"),
    # --- language models --------------------------------------------------------------------------------------------
    Row(
        "openai|anthropic|groq|together|mistralai|cohere|voyageai|zhipuai|dashscope|aisuite", EXTERNAL,
        "lib pydantic_function_tool NOT_GIVEN max_retries api_key HTTPOptions copy",
        "with_options with_raw_response with_streaming_response",
    ),
    Row(
        "litellm", EXTERNAL,
        "utils token_counter encode decode cost_per_token completion_cost get_* supports_* register_model "
        "model_cost drop_params validate_environment trim_messages stream_chunk_builder callbacks models_by_provider",
    ),
    Row("replicate|ollama|elevenlabs|deepgram|assemblyai|stability_sdk|fal_client|runpod|baseten", EXTERNAL),
    Row("google.generativeai", EXTERNAL, "configure protos", "start_chat"),
    Row("google.genai", EXTERNAL, "", "create"),
    Row("google.genai.**.models|chats|files|caches|tunings|batches|operations|live", EXTERNAL),
    Row("google.genai.**.chats.create", None, "", "create"),
    Row("vertexai", EXTERNAL, "init", "get_model start_chat"),
    Row("xai_sdk|ai21|reka|writerai|aleph_alpha_client|ibm_watsonx_ai|ibm_watson|watson_developer_cloud", EXTERNAL),
    Row(
        "huggingface_hub|modelscope", EXTERNAL,
        "utils constants logging try_to_load_from_cache get_token hf_hub_url scan_cache_dir CommitOperation*",
    ),
    Row("jina|nomic|mixedbread_ai|unstructured_client|llama_parse|llama_cloud*|reducto*", EXTERNAL),
    Row("unstructured.partition", COMPUTE),
    Row(
        "langchain*", None, "",
        "init_chat_model init_embeddings create_* with_* bind bind_tools pipe assign pick map as_retriever compile",
    ),
    Row(
        "langchain*.**.invoke|ainvoke|stream|astream|astream_events|astream_log|batch|abatch|run|arun|call|acall|apply|"
        "aapply|generate|agenerate|generate_prompt|agenerate_prompt|predict|apredict|predict_messages|"
        "apredict_messages|get_relevant_documents|aget_relevant_documents|embed_query|aembed_query|embed_documents|"
        "aembed_documents|similarity_search*|asimilarity_search*|max_marginal_relevance_search*|add_documents|"
        "aadd_documents|add_texts|aadd_texts|load|aload|load_and_split|alazy_load|lazy_load",
        EXTERNAL,
    ),
    Row("langchain*.**.from_documents|from_texts|afrom_documents|afrom_texts", EXTERNAL, "", "*from_*!"),
    Row("langchain*.**.*Prompt|*PromptTemplate|*Parser|*Splitter|prompts|output_parsers|messages|documents", None),
    Row("langchain_text_splitters", None),
    Row("langgraph", None, "", "compile create_* with_config get_graph"),
    Row("langgraph.**.invoke|ainvoke|stream|astream|astream_events|batch|abatch", EXTERNAL),
    Row("langgraph_sdk", EXTERNAL, "", "get_client get_sync_client"),
    Row("langsmith|langfuse", None),  # buffered, sent by a thread of their own
    Row("llama_index", None, "", "as_* from_* with_*"),
    Row(
        "llama_index.**.query|aquery|chat|achat|stream_chat|astream_chat|complete|acomplete|stream_complete|"
        "astream_complete|predict|apredict|structured_predict|astructured_predict|retrieve|aretrieve|"
        "get_text_embedding*|aget_text_embedding*|get_query_embedding|aget_query_embedding|get_agg_embedding*|"
        "load_data|aload_data|insert|insert_nodes|refresh_ref_docs|postprocess_nodes|synthesize|asynthesize|run|arun",
        EXTERNAL,
    ),
    Row("llama_index.**.from_documents", EXTERNAL, "", "from_documents!"),
    Row("crewai.**.kickoff*|execute_task|call|run", EXTERNAL),
    Row("autogen*.**.initiate_chat*|a_initiate_chat*|generate_reply|a_generate_reply|run|run_stream|create*", EXTERNAL),
    Row("dspy.**.forward|aforward|acall|__call__|compile", EXTERNAL),
    Row("haystack*.**.run|run_async|run_batch", EXTERNAL),
    Row("instructor", EXTERNAL, "Mode", "from_* patch apatch"),
    Row("pydantic_ai", None, "", "override"),
    Row("pydantic_ai.**.run|run_sync|run_stream*|iter|request|request_stream", EXTERNAL),
    Row("agents.Runner.run|run_sync|run_streamed", EXTERNAL),  # the OpenAI Agents SDK
    Row("claude_agent_sdk|claude_code_sdk.query|ClaudeSDKClient", EXTERNAL),
    Row("google.adk.**.run|run_async|run_live", EXTERNAL),
    Row("semantic_kernel.**.invoke*|get_chat_message_content*|get_streaming_*|get_text_content*|generate_*", EXTERNAL),
    Row("smolagents|agno|strands|browser_use.**.run|arun|print_response|aprint_response|invoke_async", EXTERNAL),
    Row("mem0", EXTERNAL, "configs"),
    Row("graphiti_core|cognee|lightrag|zep_cloud|zep_python|letta_client|chainlit_client", EXTERNAL),
    Row("tiktoken", None),
    Row("mcp.**.ClientSession", EXTERNAL),
    Row("mcp.**.*_client", EXTERNAL),
    Row("fastmcp.**.Client", EXTERNAL),
    Row("a2a.client", EXTERNAL, "helpers create_text_message_object"),
    Row("langchain_mcp_adapters.**.get_tools|load_mcp_tools|session", EXTERNAL),
    # --- clouds and object stores -----------------------------------------------------------------------------------
    Row(
        "boto3|aioboto3|aiobotocore|botocore", EXTERNAL,
        "Config config credentials stub meta generate_presigned_* get_credentials "
        "set_stream_logger setup_default_session get_available_* can_paginate region_name *Key conditions",
        "client resource get_session create_client get_paginator get_waiter Session session",
    ),
    Row("boto3.dynamodb", None),
    Row(
        "s3fs|gcsfs|adlfs|fsspec|smart_open|cloudpathlib|universal_pathlib|upath|obstore", EXTERNAL,
        "",
        "filesystem open!",
    ),
    Row("cloudpathlib|upath|fsspec.**.joinpath|with_suffix|relative_to|get_fs_token_paths|get_mapper|url_to_fs", None),
    Row("minio|miniopy_async", EXTERNAL, "datatypes commonconfig credentials *presigned_*"),
    Row("google.auth.**.default|refresh|AuthorizedSession", EXTERNAL),
    Row("google.oauth2.id_token", EXTERNAL),  # fetches Google's certificates
    Row(
        "google.cloud", EXTERNAL,
        "common_* transport enums *Config *Ref field_path",
        "bucket blob collection document where order_by limit",
    ),
    Row(
        "google.cloud.storage", EXTERNAL,
        "generate_signed_url public_url",
        "bucket blob batch Client get_bucket! get_blob! create_bucket!",
    ),
    Row("google.cloud.bigquery", EXTERNAL, "SchemaField *Config *Parameter dataset table dbapi", "dataset query!"),
    Row(
        "google.cloud.firestore|firestore_v1", EXTERNAL,
        "SERVER_TIMESTAMP ArrayUnion Increment transactional",
        "collection document where order_by limit client batch",
    ),
    Row("google.cloud.pubsub|pubsub_v1", EXTERNAL, "publish", "publish subscribe"),  # publishing only queues
    Row("google.cloud.pubsub|pubsub_v1.**.publish.result", SLEEP),
    Row("google.cloud.logging|logging_v2|error_reporting|trace*", None),
    Row("googleapiclient", None, "", "*"),
    Row("googleapiclient.**.execute|next_chunk", EXTERNAL),
    Row(
        "firebase_admin", EXTERNAL,
        "initialize_app get_app credentials",
        "reference client document collection bucket",
    ),
    Row("azure", EXTERNAL, "generate_*_sas *Settings models credentials", "get_*_client"),
    Row("azure.core", None),
    Row("azure.identity", EXTERNAL, "get_bearer_token_provider"),
    Row("azure.functions|monitor", None),
    Row("azure.**.begin_*", EXTERNAL, "", "begin_*!"),
    Row(
        "dropbox|boxsdk|b2sdk|pydrive2|supabase|storage3|gotrue|appwrite|cloudinary|imagekitio", EXTERNAL,
        "utils",
        "create_client",
    ),
    Row("supabase|postgrest.**.table|from_|rpc", None, "", "*"),
    Row("supabase|postgrest.**.table|from_|rpc.**.execute", EXTERNAL),
    Row("digitalocean|pydo|hcloud|linode_api4|CloudFlare|cloudflare|heroku3|vercel", EXTERNAL),
    # --- other services' SDKs ---------------------------------------------------------------------------------------
    Row("stripe", EXTERNAL, "Event Webhook WebhookSignature util construct_event"),
    Row(
        "braintree|paypalrestsdk|paypalcheckoutsdk|square|adyen|Adyen|razorpay|mollie|gocardless_pro", EXTERNAL,
        "util utility",
    ),
    Row("polar_sdk|lemonsqueezy|paddle_billing|chargebee|recurly|coinbase*|mercadopago|klarna", EXTERNAL),
    Row("plaid|quickbooks|xero_python|dwolla*", EXTERNAL, "model models"),
    Row(
        "hubspot|simple_salesforce|salesforce_bulk|intercom|zenpy|pipedrive|freshdesk|zendesk*", EXTERNAL,
        "models format_soql",
    ),
    Row("github|githubkit|ghapi|gidgethub", EXTERNAL, "InputGitTreeElement GithubObject sansio", "get_*! create_*!"),
    Row("gitlab|gitea|bitbucket|atlassian", EXTERNAL, "", "get!"),
    Row("jira", EXTERNAL, "resources", "JIRA!"),
    Row("git", PROCESS, "exc util config_reader"),  # GitPython runs git
    Row("git.Repo|Remote.clone*|fetch|pull|push", EXTERNAL, "", "clone*!"),
    Row("dulwich.porcelain.clone|fetch|pull|push", EXTERNAL),
    Row("notion_client|pyairtable|gspread*|linear_api|trello|asana|todoist_api_python|monday", EXTERNAL, "utils"),
    Row("shopify|woocommerce|amazon_paapi|sp_api|ebaysdk|easypost|shippo", EXTERNAL, "", "Client"),
    Row(
        "auth0|okta|keycloak|workos|clerk_backend_api|descope|stytch|msal", EXTERNAL,
        "verify_webhook authenticate_request get_accounts decode_token get_authorization_*url initiate_*",
    ),
    Row("fusionauth|ory_*|supertokens_python.**.create_*|get_*|sign_*", EXTERNAL),
    Row("pysaml2|saml2.**.prepare_for_authenticate|parse_authn_request_response", COMPUTE),
    Row("hvac|consul|etcd3|etcd|kazoo|infisical*|bitwarden_sdk|onepasswordconnectsdk", EXTERNAL),
    Row("launchdarkly*|ldclient|unleash*|UnleashClient|statsig*|growthbook|flagsmith", None),  # answers from memory
    Row("sentry_sdk|posthog|segment|analytics|mixpanel|amplitude|datadog|ddtrace|statsd|newrelic|rollbar", None),
    Row(
        "opentelemetry|prometheus_client|structlog|loguru|logging|logfire|aiofiles|memcache|pymemcache|aiomcache", None,
    ),
    Row("zoomus|livekit|recall*|calendly|O365|exchangelib|msgraph|caldav", EXTERNAL, "models"),
    Row("docusign_esign|pandadoc_client|hellosign_sdk|dropbox_sign", EXTERNAL, "models"),
    Row(
        "web3|solana|xrpl|ccxt|alpaca*|binance", EXTERNAL,
        "to_checksum_address to_* toWei toChecksumAddress keccak utils _utils",
    ),
    Row("safe_eth.eth.clients", EXTERNAL),
    Row("safe_eth.**.EthereumClient", EXTERNAL),
    Row("jinja2", None, "", "get_template from_string select_template get_or_select_template overlay"),
    Row("fastapi|starlette.templating", None, "", "get_template"),  # what renders is in `RESPONSES`
    # --- machines, containers, browsers -----------------------------------------------------------------------------
    Row(
        "kubernetes|kubernetes_asyncio", EXTERNAL,
        "V1* V2* models load_* config quantity Configuration sanitize_for_serialization",
        "stream! ApiClient",
    ),
    Row("kubernetes|kubernetes_asyncio.utils.create_from_*", EXTERNAL),
    Row("kr8s|lightkube|openshift|pykube", EXTERNAL, "models"),
    Row("docker|aiodocker|podman", EXTERNAL, "utils", "from_env run! get! create! images containers"),
    Row("testcontainers", EXTERNAL),
    Row(
        "playwright", EXTERNAL,
        "on once remove_listener expect_*",
        "launch! new_context! new_page! start! locator get_by_* sync_playwright async_playwright",
    ),
    Row(
        "selenium|pyppeteer|splinter|nodriver|crawl4ai|scrapy", EXTERNAL,
        "By Keys Options",
        "launch! newPage! Chrome! Firefox! Remote! find_element! find_elements!",
    ),
    Row("e2b*|modal|daytona*", EXTERNAL, "Image Secret Volume"),
    Row("ansible_runner|jenkins|nomad|pyVmomi|proxmoxer|libvirt", EXTERNAL),
    # --- search engines, vector stores, other databases -------------------------------------------------------------
    # A query of another database, on a connection of its own, is a wait: the transaction stays open beside it.
    Row("elasticsearch", EXTERNAL, "Q get_connection", "options Search"),
    Row("elasticsearch_dsl.**.execute|save|count|scan|delete|update|init", EXTERNAL),
    Row("opensearchpy", EXTERNAL, "Q AWSV4SignerAuth AWSV4SignerAsyncAuth get_connection"),
    Row(
        "meilisearch*|typesense|algoliasearch|vespa|pysolr|manticoresearch", EXTERNAL,
        "package",
        "index collections documents",
    ),
    Row("qdrant_client", EXTERNAL, "models http local_inference"),
    Row("chromadb", EXTERNAL, "utils config", "Client PersistentClient HttpClient! AsyncHttpClient! *_collection!"),
    Row("pinecone", EXTERNAL, "", "Index IndexAsyncio"),
    Row("weaviate", EXTERNAL, "classes util auth", "connect_to_*! use_async_with_* collections get use create!"),
    Row(
        "pymilvus", EXTERNAL,
        "DataType FieldSchema CollectionSchema prepare_index_params create_schema",
        "Collection MilvusClient!",
    ),
    Row(
        "lancedb|turbopuffer|marqo|astrapy|upstash_vector", EXTERNAL,
        "",
        "connect connect_async open_table! namespace",
    ),
    Row("pymongo|motor", EXTERNAL, "get_io_loop", "get_* find! aggregate! sort limit skip with_options"),
    Row("pymongo|motor.**.find|aggregate.to_list|next|fetch_next", EXTERNAL),
    Row("mongoengine.connect", EXTERNAL),
    Row("beanie|odmantic.**.insert*|save*|find_one|get|delete*|update*|to_list|first_or_none|count", EXTERNAL),
    Row("neo4j", EXTERNAL, "time spatial", "driver session begin_transaction! GraphDatabase AsyncGraphDatabase"),
    Row("cassandra.cluster|scylla", EXTERNAL, "", "Cluster connect!"),
    Row(
        "clickhouse_driver|clickhouse_connect|asynch|aiochclient", EXTERNAL,
        "",
        "get_client! get_async_client! create_client! connect! cursor",
    ),
    Row(
        "snowflake|databricks|trino|prestodb|pyhive|redshift_connector|pydruid", EXTERNAL,
        "",
        "connect! cursor",
    ),
    Row(
        "psycopg|psycopg2|psycopg_pool|asyncpg|aiopg|pymysql|aiomysql|MySQLdb|pymssql|pyodbc|oracledb", EXTERNAL,
        "sql rows adapt extras extensions Record",
        "connect! create_pool! acquire! getconn! connection cursor transaction",
    ),
    Row("mysql.connector", EXTERNAL, "", "connect! cursor"),
    Row("influxdb*|questdb|arango|couchdb|couchbase|pyignite|aerospike", EXTERNAL, "Point", "write_api query_api"),
    Row("aiosqlite|sqlite3|duckdb|diskcache|pgvector|sqlalchemy|sqlmodel|alembic", None),
    # Redis answers within the same machine room in a fraction of a millisecond: reading a cache is not a wait. Its
    # blocking commands are.
    Row(
        "redis|aioredis|valkey|coredis|fakeredis|upstash_redis", None,
        "",
        "from_url Redis StrictRedis client pubsub lock pipeline get_redis",
    ),
    Row("redis|aioredis|valkey|coredis.**.blpop|brpop*|blm*|bz*|listen|get_message|xread|xreadgroup|wait", SLEEP),
    Row("redis|aioredis|valkey|coredis.**.lock|Lock.acquire|__enter__|__aenter__", SLEEP),
    Row("redis_lock|aioredlock|redlock|pottery|sherlock.**.acquire|lock|__enter__|__aenter__", SLEEP),
    # --- queues and workflows ---------------------------------------------------------------------------------------
    # Handing a message to a local broker (celery's delay, rq's enqueue, a Kafka producer's send) takes as long as a
    # cache read: not a wait. Waiting for the result, a flush or a poll is one.
    Row("celery", None, "", "delay apply_async send_task AsyncResult group chord chain signature s si control inspect"),
    Row("celery.result.AsyncResult|GroupResult|ResultSet.get|join|join_native|wait|wait_for*|collect|iterate", SLEEP),
    Row("celery.**.AsyncResult|delay|apply_async|send_task.get|join|join_native|wait|collect", SLEEP),
    Row("celery.**.control.ping|broadcast|inspect.*", EXTERNAL),
    Row("dramatiq", None, "", "message send"),
    Row("dramatiq.**.get_result|join", SLEEP),
    Row("taskiq.**.wait_result", SLEEP),
    Row("arq.jobs.Job.result", SLEEP),
    Row("kafka", None, "", "KafkaProducer! KafkaConsumer! KafkaAdminClient! send"),
    Row("kafka.**.flush|poll|partitions_for|commit", EXTERNAL),
    Row("kafka.**.KafkaAdminClient", EXTERNAL),
    Row("kafka.**.send.get", EXTERNAL),
    Row("aiokafka.**.start|stop|send_and_wait|flush|getone|getmany|commit", EXTERNAL),
    Row("kafka|aiokafka.**.*KafkaConsumer.__iter__", EXTERNAL),
    Row("confluent_kafka.**.flush|poll|consume|list_topics|commit", EXTERNAL),
    Row("pika", None, "", "BlockingConnection! channel"),
    Row("pika.**.start_consuming|process_data_events|consume|basic_get", EXTERNAL),
    Row(
        "aio_pika|aiormq", EXTERNAL,
        "Message",
        "connect! connect_robust! channel! declare_*! get_exchange! get_queue! default_exchange",
    ),
    Row("kombu.**.drain_events|ensure_connection", EXTERNAL),
    Row("nats", None, "", "connect jetstream subscribe key_value"),
    Row("nats.**.connect|request|flush|drain|next_msg|fetch", EXTERNAL),
    Row("nats.**.jetstream", EXTERNAL),
    Row("stomp|aiomqtt", EXTERNAL),
    Row("paho.mqtt.**.connect|loop_forever|reconnect|single|multiple", EXTERNAL),
    Row("temporalio.client", EXTERNAL, "", "connect! start_workflow! get_workflow_handle"),
    Row("temporalio.workflow.execute_*|sleep|wait_condition", SLEEP),
    Row("prefect.**.run_deployment|client", EXTERNAL),
    Row("inngest|hatchet_sdk|trigger_dev|qstash", EXTERNAL, "create_function decorators"),
    Row("airflow_client|dagster_graphql", EXTERNAL),
    Row("ray.get|wait|init", SLEEP),
    Row("ray.serve.**.result", SLEEP),
    Row("dask.**.compute|persist|gather|result", COMPUTE),
    Row("distributed.Client", EXTERNAL, "", "Client! submit map"),
    Row("pyspark.**.collect|show|count|toPandas|save*", COMPUTE),
    # --- sleeping, locks, threads -----------------------------------------------------------------------------------
    Row("time.sleep", SLEEP),
    Row("asyncio", None, "", "get_running_loop get_event_loop new_event_loop"),
    Row("anyio|trio", None, "", "create_task_group open_nursery"),
    Row("asyncio.sleep|wait|wait_for|as_completed", SLEEP),  # of what cannot be followed: see `Waits.drains`
    Row("anyio|trio|gevent|eventlet|curio.sleep*", SLEEP),
    Row("trio|anyio.**.Event|Condition|Lock|Semaphore|CapacityLimiter.wait|acquire|__aenter__", SLEEP),
    Row("asyncio.Event|Condition|Barrier|Lock|*Semaphore.wait|wait_for|acquire|__aenter__", SLEEP),
    Row("asyncio.Queue|PriorityQueue|LifoQueue.get|join", SLEEP),  # `put` on an unbounded queue never waits
    Row("asyncio.run_coroutine_threadsafe.result|exception", SLEEP),
    Row("queue|multiprocessing.Queue|SimpleQueue|LifoQueue|PriorityQueue|JoinableQueue.get|join", SLEEP),
    # `with lock:` of a thread lock guards a few statements as a rule; only the explicit `acquire()` counts.
    Row("threading.Event|Condition|Barrier|Thread|Timer|Lock|RLock|*Semaphore.wait|wait_for|join|acquire", SLEEP),
    Row("threading.*Semaphore.__enter__", SLEEP),
    Row("concurrent.futures.wait|as_completed", SLEEP),
    Row("concurrent.futures", None, "", "submit"),
    Row("concurrent.futures.Future.result|exception", SLEEP),
    Row("concurrent.futures.**.*Executor.map|shutdown", SLEEP),
    Row("concurrent.futures.**.*Executor.submit.result|exception", SLEEP),
    Row("joblib.Parallel.__call__", COMPUTE),
    Row("select|selectors.**.select|poll", SLEEP),
    Row("signal.pause|sigwait", SLEEP),
    Row("filelock|portalocker|fasteners.**.acquire|__enter__|__aenter__|read_lock|write_lock|lock", SLEEP),
    Row("fcntl.flock|lockf", SLEEP),
    Row("aiolimiter|pyrate_limiter|ratelimit.**.acquire|__aenter__|try_acquire|sleep_and_retry", SLEEP),
    Row("builtins.input", SLEEP),
    # --- processes --------------------------------------------------------------------------------------------------
    Row("subprocess.run|call|check_call|check_output|getoutput|getstatusoutput", PROCESS),
    Row("subprocess.Popen.wait|communicate|__exit__|__enter__", PROCESS),
    Row(
        "asyncio.create_subprocess_exec|create_subprocess_shell", PROCESS,
        "stdin terminate kill send_signal",
        "create_subprocess_*!",
    ),
    Row("asyncio.**.Process|create_subprocess_exec|create_subprocess_shell.wait|communicate", PROCESS),
    Row("asyncio.**.create_subprocess_exec|create_subprocess_shell.stdout|stderr.read*", PROCESS),
    Row("anyio.run_process|open_process", PROCESS, "", "open_process!"),
    Row("os.system|popen|wait|waitpid|spawn*", PROCESS),
    Row("multiprocessing", None, "", "Pool Process get_context apply_async map_async starmap_async"),
    Row("multiprocessing.**.Process.join", PROCESS),
    Row("multiprocessing.**.Pool.map|starmap|apply|imap|imap_unordered|join", PROCESS),
    Row("multiprocessing.**.apply_async|map_async|starmap_async.get|wait", PROCESS),
    Row("sh|plumbum|pexpect|delegator", PROCESS, "which", "spawn!"),
    Row("ffmpeg", None, "", "*"),
    Row("ffmpeg.**.run|run_async|probe", PROCESS),
    Row("pydub.**.from_*|export", PROCESS),
    Row("pdfkit|imgkit|pypandoc|pytesseract|pdf2image|docx2pdf", PROCESS),
    Row("yt_dlp|youtube_dl|pytube|youtube_transcript_api", EXTERNAL, "utils"),
    # --- work for the processor -------------------------------------------------------------------------------------
    Row("bcrypt.hashpw|checkpw|kdf", COMPUTE),
    Row("bcrypt.gensalt", None),
    Row("passlib", None, "", "using"),
    Row("passlib.**.hash|verify|encrypt|verify_and_update|dummy_verify", COMPUTE),
    Row("passlib.hash.*.hash|verify", COMPUTE),
    Row("argon2.**.hash|verify|hash_password|verify_password|hash_secret*|verify_secret", COMPUTE),
    Row("pwdlib.**.hash|verify|verify_and_update", COMPUTE),
    Row("nacl.pwhash", COMPUTE),
    Row("hashlib|_hashlib.pbkdf2_hmac|scrypt", COMPUTE),
    Row("werkzeug.security.generate_password_hash|check_password_hash", COMPUTE),
    Row("django.contrib.auth.hashers.make_password|check_password", COMPUTE),
    Row("cryptography.hazmat.primitives.kdf.pbkdf2|scrypt|argon2.**.derive|verify", COMPUTE),  # the others are fast
    Row("cryptography.hazmat.primitives.asymmetric.rsa|dsa|dh.generate_*", COMPUTE),
    Row("Crypto|Cryptodome.**.PBKDF2|scrypt|bcrypt*|generate", COMPUTE),
    Row("jwcrypto.jwk.JWK.generate", COMPUTE),
    Row("pandas|polars|geopandas.read_*", COMPUTE),
    Row("pandas|polars|geopandas.read_sql*|read_database*|read_postgis", None),  # they read by the connection itself
    Row("pandas|polars|geopandas.**.to_excel|to_csv|to_parquet|to_sql|write_*|merge|pivot_table", COMPUTE),
    Row("openpyxl.**.load_workbook|save", COMPUTE),
    Row("openpyxl", None, "", "load_workbook"),
    Row("xlrd|docx|pptx.**.open_workbook|save", COMPUTE),
    Row("PIL.**.open|save|resize|thumbnail|rotate|filter|convert|transpose", COMPUTE),
    Row("PIL", None, "", "open new frombytes"),
    Row("cv2", COMPUTE, "COLOR_* IMREAD_*", "VideoCapture!"),
    Row("skimage|imageio|wand|pyvips|rembg|moviepy|librosa|soundfile", COMPUTE, "", "from_*! new_from_*!"),
    Row("reportlab.**.build|save|drawToFile|drawToString", COMPUTE),
    Row("weasyprint|xhtml2pdf|fpdf.**.write_pdf|write_png|render|pisaDocument|CreatePDF|output", COMPUTE),
    Row(
        "pdfplumber|pypdf|PyPDF2|pdfminer|fitz|pymupdf|pymupdf4llm|camelot|tabula", COMPUTE,
        "utils",
        "open! PdfReader! pages",
    ),
    Row("docling|markitdown|textract|ebooklib.**.convert*|process|read_epub", COMPUTE, "", "DocumentConverter"),
    Row("mammoth.convert_*|extract_raw_text", COMPUTE),
    Row("zipfile.ZipFile.write*|extract*", COMPUTE),
    Row("tarfile.**.add|extract*|addfile", COMPUTE),
    Row("tarfile", None, "", "open"),
    Row("shutil.make_archive|unpack_archive", COMPUTE),
    Row("whisper|faster_whisper", COMPUTE, "utils", "load_model! WhisperModel!"),
    Row("spacy.**.load|pipe", COMPUTE),
    Row("spacy.load.__call__", COMPUTE),
    Row("spacy", None, "", "load"),
    Row("nltk.download", EXTERNAL),
    Row(
        "sentence_transformers", COMPUTE,
        "InputExample get_sentence_embedding_dimension max_seq_length",
        "SentenceTransformer! CrossEncoder!",
    ),
    Row(
        "fastembed|FlagEmbedding|rerankers|flashrank|colbert", COMPUTE,
        "list_supported_models",
        "TextEmbedding! FlagModel!",
    ),
    Row("transformers.**.from_pretrained|generate|train|predict|__call__", COMPUTE, "", "from_pretrained!"),
    Row("transformers.pipeline", COMPUTE, "", "pipeline!"),
    Row("torch.**.load|save|compile", COMPUTE),
    Row("torch.**.backward|forward", COMPUTE),
    Row("tensorflow|keras.**.predict|fit|evaluate|load_model", COMPUTE, "", "load_model!"),
    Row("onnxruntime.InferenceSession.run", COMPUTE),
    Row("vllm|llama_cpp|ctransformers|gpt4all.**.generate|create_*|chat|__call__|encode|embed", COMPUTE),
    Row(
        "diffusers|ultralytics|easyocr|paddleocr.**.from_pretrained|predict|readtext|ocr|__call__", COMPUTE,
        "",
        "from_pretrained! Reader! PaddleOCR!",
    ),
    Row("sklearn|xgboost|lightgbm|catboost|statsmodels|prophet.**.fit*|predict*|transform|cross_val_*", COMPUTE),
    Row("scipy|umap|hdbscan|faiss.**.minimize|curve_fit|fit*|search|train|add", COMPUTE),
    Row("matplotlib|plotly.**.savefig|write_image|to_image", COMPUTE),
    Row("ortools.**.solve", COMPUTE),
    Row("networkx.**.pagerank|*_layout|*_centrality", COMPUTE),
)
# fmt: on


class Argument(NamedTuple):
    """The calls below `pattern` take a function: as positional argument `position` or as `keyword`."""

    pattern: str
    position: int
    keyword: str


RUNS_FUNCTION: tuple[Argument, ...] = (
    Argument("asyncio.to_thread", 0, "func"),
    Argument("asyncio.**.run_in_executor", 1, "func"),
    Argument("asyncio.**.run_until_complete|run", 0, "main"),
    Argument("asyncio.TaskGroup.create_task", 0, "coro"),  # the end of the group's block waits for it
    Argument("anyio|trio.create_task_group|open_nursery.start_soon|start", 0, "func"),
    Argument("starlette|fastapi.concurrency.run_in_threadpool", 0, "func"),
    Argument("anyio.**.to_thread|from_thread.run_sync|run", 0, "func"),
    Argument("anyio|trio.run", 0, "func"),
    Argument("trio.to_thread.run_sync", 0, "sync_fn"),
    Argument("asgiref.sync.sync_to_async|async_to_sync", 0, "func"),
    Argument("asyncer.asyncify|syncify", 0, "function"),
    Argument("contextvars.**.run", 0, "callable"),
    Argument("tenacity.Retrying|AsyncRetrying.__call__", 0, "fn"),
    Argument("backoff.on_exception|on_predicate.__call__", 0, "target"),
    Argument("sqlalchemy.**.run_sync", 0, "fn"),
    Argument("multiprocessing.**.Pool.map|starmap|apply|imap|imap_unordered", 0, "func"),
    Argument("concurrent.futures.**.*Executor.map", 0, "fn"),
    Argument("builtins.map|filter", 0, "func"),
)

STARTS_TASK: tuple[Argument, ...] = (
    Argument("asyncio.**.create_task|ensure_future", 0, "coro"),
    Argument("asyncio.run_coroutine_threadsafe", 0, "coro"),
    Argument("asyncio.**.call_soon|call_soon_threadsafe", 0, "callback"),
    Argument("asyncio.**.call_later|call_at", 1, "callback"),
    Argument("anyio|trio.**.start_soon|start", 0, "func"),
    Argument("asyncer.**.soonify", 0, "async_function"),
    Argument("threading.Thread", 1, "target"),
    Argument("threading.Timer", 1, "function"),
    Argument("_thread.start_new_thread", 0, "function"),
    Argument("multiprocessing.**.Process", 1, "target"),
    Argument("multiprocessing.**.Pool.apply_async|map_async|starmap_async", 0, "func"),
    Argument("concurrent.futures.**.*Executor.submit", 0, "fn"),
    Argument("fastapi|starlette.**.BackgroundTasks.add_task", 0, "func"),
    Argument("fastapi|starlette.**.BackgroundTask", 0, "func"),
    Argument("apscheduler.**.add_job", 0, "func"),
    Argument("gevent|eventlet.**.spawn|spawn_n|spawn_later", 0, "function"),
    Argument("weakref.finalize", 1, "func"),
    Argument("atexit.register", 0, "func"),
)

AFTER_RESPONSE = ("fastapi|starlette.**.BackgroundTasks.add_task", "fastapi|starlette.**.BackgroundTask")
"""The tasks that Starlette runs once the response was sent: https://www.starlette.io/background/"""

MAKES_CALLABLE: tuple[Argument, ...] = (
    Argument("functools.partial|partialmethod", 0, "func"),
    Argument("starlette|fastapi.concurrency.asynccontextmanager", 0, "func"),
    Argument("contextlib.contextmanager|asynccontextmanager", 0, "func"),
    Argument("sqlalchemy.util.greenlet_spawn", 0, "fn"),
)

DRAINS = (
    "builtins.list|tuple|set|frozenset|dict|sum|any|all|min|max|sorted|next|anext",
    "builtins.str|bytes|bytearray.join",
    "builtins.list|set|dict|bytearray.extend|update",
    "collections.deque|Counter|OrderedDict",
    "functools.reduce",
    "statistics|numpy.mean|fromiter",
    "asyncio.gather|wait_for|shield|wait|run",
    "asyncio.**.run_until_complete",
)
"""Calls that run the coroutines and generators among their arguments before they return."""

QUIET = (
    "builtins.print|str|repr|format|len|type|id|isinstance|issubclass|hasattr|getattr|callable|bool",
    "builtins.list|tuple|dict|set|frozenset|sorted|range|enumerate|zip",
    "logging|structlog|loguru.**",
    "traceback.**",
    "warnings.warn",
    "sys.exc_info",
    "time.time|time_ns|monotonic|monotonic_ns|perf_counter|perf_counter_ns|process_time",
    "datetime.**.now|utcnow|today|isoformat|timestamp|total_seconds",
    "uuid.uuid4",
    "asyncio.current_task|get_running_loop",
)
"""Calls that raise nothing in programs as people write them."""

Response: TypeAlias = Literal["stream", "template", "redirect", "plain"]

RESPONSES: tuple[tuple[str, Response], ...] = (
    ("**.*StreamingResponse|FileResponse|EventSourceResponse|StreamResponse", "stream"),
    ("**.TemplateResponse|render_template|render_template_string|render_to_string|render_to_response", "template"),
    ("jinja2|fastapi|starlette.**.render|render_async|generate|generate_async|make_module", "template"),
    ("fastapi|starlette.**.render", "template"),
    ("mako|chameleon|jinja2_fragments|minijinja.**.render*", "template"),
    ("**.*RedirectResponse", "redirect"),
    ("fastapi|starlette.**.Response|JSONResponse|HTMLResponse|PlainTextResponse|ORJSONResponse|UJSONResponse", "plain"),
)
"""What calling it makes or, for a template, renders. Templates are rendered by the call itself."""
