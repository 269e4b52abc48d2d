"""What an orchestrator must not use, by full name: the tables of the rules on the outside world."""

from __future__ import annotations

# Any mention of the name counts, a call or not: `default_factory=uuid4` is as bad as `uuid4()`.
MENTIONED: dict[str, tuple[str, ...]] = {
    "DX101": (
        *("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today"),
        *("time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns", "time.clock_gettime"),
        *("time.clock_gettime_ns", "time.perf_counter", "time.perf_counter_ns", "time.process_time"),
        *("time.process_time_ns", "time.thread_time", "time.thread_time_ns", "timeit.default_timer"),
        *("pandas.Timestamp.now", "pandas.Timestamp.utcnow", "pandas.Timestamp.today", "numpy.datetime64.now"),
        *("pendulum.now", "pendulum.today", "arrow.now", "arrow.utcnow", "django.utils.timezone.now"),
    ),
    "DX103": (
        *("uuid.uuid1", "uuid.uuid4", "uuid.uuid6", "uuid.uuid7", "uuid.getnode", "shortuuid.uuid", "nanoid.generate"),
        *("ulid.new", "ulid.ULID", "bson.ObjectId", "bson.objectid.ObjectId"),
    ),
    "DX104": ("time.sleep",),
    "DX205": (
        *("os.environ", "os.environb", "os.getenv", "os.getenvb", "os.getpid", "os.getppid", "os.cpu_count"),
        *("os.uname", "os.getlogin", "os.getuid", "os.process_cpu_count", "os.getloadavg", "sys.argv"),
        *("socket.gethostname", "socket.getfqdn", "getpass.getuser", "multiprocessing.cpu_count"),
    ),
    "DX206": ("builtins.input", "builtins.breakpoint", "sys.stdin", "getpass.getpass"),
    "DX301": ("asyncio.to_thread", "asyncio.run_coroutine_threadsafe", "asgiref.sync.sync_to_async"),
}

# Calls only: the module, or what is called of it, and all below.
CALLED: dict[str, tuple[str, ...]] = {
    "DX102": (
        *(
            "random",
            "secrets",
            "os.urandom",
            "os.getrandom",
            "numpy.random",
            "torch.rand",
            "torch.randn",
            "torch.randint",
        ),
        *("faker.Faker",),
    ),
    "DX105": ("builtins.id", "builtins.hash"),
    "DX201": (
        *("builtins.open", "io.open", "io.FileIO", "io.open_code", "codecs.open", "aiofiles", "fileinput", "linecache"),
        *("os.open", "os.read", "os.write", "os.listdir", "os.scandir", "os.walk", "os.fwalk", "os.stat", "os.lstat"),
        *("os.remove", "os.unlink", "os.rename", "os.renames", "os.replace", "os.mkdir", "os.makedirs", "os.rmdir"),
        *("os.removedirs", "os.link", "os.symlink", "os.readlink", "os.chmod", "os.chown", "os.utime", "os.truncate"),
        *("os.access", "os.getcwd", "os.getcwdb", "os.chdir", "os.statvfs", "os.mkfifo", "os.pipe", "os.fsync"),
        *("os.path.exists", "os.path.lexists", "os.path.isfile", "os.path.isdir", "os.path.islink", "os.path.ismount"),
        *("os.path.getsize", "os.path.getmtime", "os.path.getctime", "os.path.getatime", "os.path.samefile"),
        *("os.path.realpath", "os.path.abspath", "os.path.expanduser"),
        *("shutil", "tempfile", "glob", "zipfile.ZipFile", "tarfile.open", "gzip.open", "bz2.open", "lzma.open"),
        *("importlib.resources", "pkgutil.get_data", "mmap.mmap", "shelve.open", "dbm.open"),
        *("pandas.read_csv", "pandas.read_excel", "pandas.read_json", "pandas.read_parquet", "pandas.read_table"),
        *("numpy.load", "numpy.loadtxt", "numpy.save", "numpy.savetxt"),
    ),
    "DX202": (
        *("requests", "httpx", "aiohttp", "urllib.request", "urllib3", "http.client", "http.server", "socket"),
        *("socketserver", "ssl", "smtplib", "aiosmtplib", "ftplib", "poplib", "imaplib", "telnetlib", "xmlrpc.client"),
        *("websockets", "websocket", "grpc", "paramiko", "asyncssh", "dns", "pycurl", "boto3", "botocore", "aioboto3"),
        *("azure.storage", "azure.identity", "azure.cosmos", "azure.servicebus", "azure.eventhub", "azure.eventgrid"),
        *("azure.keyvault", "azure.data", "azure.appconfiguration", "azure.search", "azure.ai", "azure.mgmt"),
        *("azure.communication", "google.cloud", "openai", "anthropic", "stripe", "twilio", "sendgrid", "slack_sdk"),
        *("kafka", "confluent_kafka", "aiokafka", "pika", "aio_pika", "celery", "nats", "paho", "ldap3", "webbrowser"),
    ),
    "DX203": (
        *(
            "subprocess",
            "os.system",
            "os.popen",
            "os.fork",
            "os.forkpty",
            "os.kill",
            "os.killpg",
            "os.abort",
            "os._exit",
        ),
        *("os.execl", "os.execle", "os.execlp", "os.execv", "os.execve", "os.execvp", "os.execvpe", "os.posix_spawn"),
        *("os.spawnl", "os.spawnv", "os.spawnvp", "os.wait", "os.waitpid", "os.nice", "pty", "signal", "psutil", "sh"),
        *("builtins.exit", "builtins.quit", "sys.exit", "plumbum", "pexpect"),
    ),
    "DX204": (
        *("sqlite3", "aiosqlite", "psycopg", "psycopg2", "psycopg_pool", "asyncpg", "pg8000", "pymysql", "MySQLdb"),
        *("mysql.connector", "aiomysql", "asyncmy", "mariadb", "pyodbc", "aioodbc", "pymssql", "oracledb", "cx_Oracle"),
        *(
            "pymongo",
            "motor",
            "redis",
            "aioredis",
            "pymemcache",
            "memcache",
            "cassandra",
            "elasticsearch",
            "opensearchpy",
        ),
        *("neo4j", "duckdb", "clickhouse_driver", "clickhouse_connect", "snowflake.connector", "databases", "peewee"),
        *("sqlalchemy.create_engine", "sqlalchemy.orm.Session", "sqlalchemy.orm.sessionmaker"),
        *("sqlalchemy.orm.scoped_session", "sqlalchemy.ext.asyncio", "sqlmodel.Session", "sqlmodel.create_engine"),
        *("django.db", "tortoise", "beanie", "pandas.read_sql", "pandas.read_sql_query", "pandas.read_sql_table"),
    ),
    "DX205": (
        "platform",
        "locale.getlocale",
        "locale.getdefaultlocale",
        "dotenv",
        "decouple.config",
        "sys.getrefcount",
    ),
    "DX301": (
        *("threading", "_thread", "multiprocessing", "concurrent.futures", "joblib", "anyio.to_thread"),
        *("anyio.from_thread", "asgiref.sync.async_to_sync", "greenlet", "gevent"),
    ),
    "DX302": (
        *("asyncio.open_connection", "asyncio.open_unix_connection", "asyncio.start_server"),
        *("asyncio.start_unix_server", "asyncio.create_subprocess_exec", "asyncio.create_subprocess_shell"),
    ),
    "DX303": (
        *("asyncio.run", "asyncio.Runner", "asyncio.new_event_loop", "asyncio.set_event_loop", "nest_asyncio"),
        *("asyncio.set_event_loop_policy", "anyio.run", "trio", "uvloop"),
    ),
    "DX701": ("builtins.print", "pprint.pprint", "pprint.pp", "rich.print", "sys.stdout", "sys.stderr", "click.echo"),
}

# Read the clock only when they are called with fewer arguments than this.
CLOCK_BY_DEFAULT = {
    **dict.fromkeys(("time.localtime", "time.gmtime", "time.ctime"), 1),
    **dict.fromkeys(("time.asctime",), 1),
    **dict.fromkeys(("time.strftime",), 2),
}

# Repeatable when they are given a seed.
SEEDED = frozenset({"random.Random", "numpy.random.default_rng", "numpy.random.RandomState", "numpy.random.Generator"})

# Data and errors of modules whose calls are refused.
HARMLESS = frozenset({"platform.python_version_tuple", "signal.Signals", "ssl.Purpose", "google.cloud.exceptions"})
HARMLESS_ENDS = ("Error", "Exception", "Warning", "Timeout", "Expired")

PATH_CLASSES = ("pathlib.Path", "pathlib.PosixPath", "pathlib.WindowsPath", "anyio.Path")
PATH_EFFECTS = frozenset(
    {
        *("read_text", "read_bytes", "write_text", "write_bytes", "open", "exists", "is_file", "is_dir", "is_symlink"),
        *(
            "stat",
            "lstat",
            "iterdir",
            "glob",
            "rglob",
            "walk",
            "mkdir",
            "rmdir",
            "unlink",
            "touch",
            "rename",
            "replace",
        ),
        *("resolve", "absolute", "expanduser", "cwd", "home", "chmod", "owner", "samefile", "symlink_to", "readlink"),
    }
)
# On whatever object: nothing else is called so.
FILE_METHODS = frozenset({"read_text", "read_bytes", "write_text", "write_bytes"})

# What the orchestrator's loop has; all else of an event loop is refused by it.
LOOP_GETTERS = frozenset({"asyncio.get_running_loop", "asyncio.get_event_loop"})
LOOP_METHODS = frozenset(
    {
        *("call_soon", "call_later", "call_at", "time", "create_future", "create_task", "get_debug", "is_running"),
        *("is_closed", "call_exception_handler"),
    }
)
PRIMITIVES = frozenset(
    {
        *("asyncio.Lock", "asyncio.Event", "asyncio.Condition", "asyncio.Semaphore", "asyncio.BoundedSemaphore"),
        *("asyncio.Queue", "asyncio.PriorityQueue", "asyncio.LifoQueue", "asyncio.Barrier"),
    }
)
THREAD_PRIMITIVES = frozenset(
    {
        *("threading.Lock", "threading.RLock", "threading.Event", "threading.Condition", "threading.Semaphore"),
        *("threading.BoundedSemaphore", "threading.local", "threading.Barrier", "multiprocessing.Lock"),
    }
)

_MENTIONED = {name: code for code, names in MENTIONED.items() for name in names}
_CALLED = {name: code for code, names in CALLED.items() for name in names}


def code_of_mention(name: str) -> str | None:
    """The rule that a mention of a full name breaks."""
    return _MENTIONED.get(name)


def code_of_call(name: str) -> str | None:
    """The rule that a call of a full name breaks; the longest entry that it lies in counts."""
    if name in HARMLESS or name.endswith(HARMLESS_ENDS) or name in _MENTIONED:
        return None
    while name and name not in _CALLED:
        name = name.rpartition(".")[0]
    return _CALLED.get(name)
