"""The programs, and the truth about each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["unknown leak", "known leak", "healthy"]
UNKNOWN: Kind = "unknown leak"
KNOWN: Kind = "known leak"
HEALTHY: Kind = "healthy"
SERIAL, PARALLEL, G1 = "-XX:+UseSerialGC", "-XX:+UseParallelGC", "-XX:+UseG1GC"


@dataclass(frozen=True, slots=True)
class Case:
    """A program of ``programs/``, and what is true of it.

    Attributes
    ----------
    name : str
        How it is called in the table and by ``--only``.
    main : str
        Full name of the class with ``main``.
    kind : str
        ``"unknown leak"``, ``"known leak"`` or ``"healthy"``.
    what : str
        What it plays.
    owner : str
        Of a leak: the field that a developer opens, ``SimpleClass.field``.
    classes : tuple of str
        The classes that pile up one for one; any of them is the right answer.
    text_classes : tuple of str
        Further classes that are right where there are only class histograms, which show no owner.
    known : str
        Of a known leak: its id in the catalogue.
    arguments : tuple of str
        Of the program, after the mode.
    collector : str
        The JVM's option for its garbage collector.
    live : bool
        Whether snapshots leave garbage out, as they do by default.
    has_texts : bool
        Whether it is asked about class histograms too: they cannot tell garbage, or what is held softly only,
        from what is held for good, and do not say that they have garbage in them; nor how much of an array is
        in use.
    off_heap_bytes : int
        What lies outside of the Java heap at the last step, where that is what piles up; else 0.
    options : tuple of str
        More options of the JVM.
    other_owner : str
        A second field with the same elements, which is as right.
    """

    name: str
    main: str
    kind: Kind
    what: str
    owner: str = ""
    classes: tuple[str, ...] = ()
    text_classes: tuple[str, ...] = ()
    known: str = ""
    arguments: tuple[str, ...] = ()
    collector: str = SERIAL
    live: bool = True
    has_texts: bool = True
    off_heap_bytes: int = 0
    options: tuple[str, ...] = ()
    other_owner: str = ""

    @property
    def has_program_class(self) -> bool:
        """Whether a class of the program piles up; not only strings or buffers of the JDK."""
        return any(not name.startswith("java.") and not name.endswith("[]") for name in self.classes)


_CRM = tuple(
    f"com.acme.crm.{name}"
    for name in ("Name", "Address", "Phone", "Account", "Contract", "Consent", "Visits", "Rating", "Region")
)
_DIRECT = ("-XX:MaxDirectMemorySize=256m",)

_PROTOCOL = "com.acme.protocol.Protocol"

UNKNOWN_LEAKS = (
    Case(
        "static-map", "com.acme.shop.Shop", UNKNOWN, "a static map, beside an innocent one",
        "SessionRegistry.sessions", ("com.acme.shop.Session",),
    ),
    Case(
        "static-map-on-stack", "com.acme.trading.Exchange", UNKNOWN,
        "a static map that two running threads hold in local variables too",
        "OrderBook.open", ("com.acme.trading.Order",), collector=PARALLEL,
    ),
    Case(
        "thread-local", "com.acme.web.Gateway", UNKNOWN, "a thread local in the threads of a pool",
        "RequestContext.CURRENT", ("com.acme.web.RequestTrace",), collector=G1,
    ),
    Case(
        "listeners", "com.acme.portal.Portal", UNKNOWN, "lambdas that listen to a bus",
        "EventBus.listeners", ("com.acme.portal.Dashboard",),
    ),
    Case(
        "singleton-cache", "com.acme.pricing.PriceServer", UNKNOWN,
        "a field of a singleton; snapshots with garbage",
        "PriceCache.quotes", ("com.acme.pricing.Quote",), live=False, has_texts=False,
    ),
    Case(
        "queue", "com.acme.mail.MailServer", UNKNOWN, "a LinkedBlockingQueue that nobody drains",
        "Outbox.pending", ("com.acme.mail.Mail",),
    ),
    Case(
        "scheduled-tasks", "com.acme.calls.CallCenter", UNKNOWN, "tasks of a ScheduledThreadPoolExecutor",
        "TimeoutService.timer", ("com.acme.calls.Timeout", "com.acme.calls.Call"), collector=G1,
    ),
    Case(
        "delay-queue", "com.acme.lease.LeaseServer", UNKNOWN, "a DelayQueue",
        "LeaseTable.expiring", ("com.acme.lease.Lease",),
    ),
    Case(
        "two-lists", "com.acme.monitor.Monitor", UNKNOWN, "two lists of one object, one of which grows",
        "Collector.history", ("com.acme.monitor.Sample",), collector=PARALLEL,
    ),
    Case(
        "plugin-loader", "com.acme.plugin.PluginHost", UNKNOWN, "a static of a class of a plugin's loader",
        "RuleEngine.compiled", ("com.acme.plugin.CompiledRule",),
    ),
    Case(
        "raw-arrays", "com.acme.gallery.Gallery", UNKNOWN, "small objects with large int[]",
        "Gallery.thumbnails", ("com.acme.gallery.Thumbnail",),
    ),
    Case(
        "ten-classes", "com.acme.crm.Crm", UNKNOWN, "ten classes that rise in step",
        "CustomerStore.loaded", ("com.acme.crm.Customer",), _CRM,
    ),
    Case(
        "direct-buffers", "com.acme.stream.Recorder", UNKNOWN, "direct buffers beside a small heap",
        "FrameStore.kept", ("java.nio.DirectByteBuffer",),
        off_heap_bytes=8 * 124 * 96 * 1024, options=_DIRECT,
    ),
    Case(
        "wrong-lru", "com.acme.geo.MapServer", UNKNOWN, "an LRU map with a wrong limit",
        "TileCache.tiles", ("com.acme.geo.Tile",),
    ),
    Case(
        "inner-classes", "com.acme.desk.Desktop", UNKNOWN, "anonymous objects that hold their outer ones",
        "Menu.actions", ("com.acme.desk.Document", "com.acme.desk.Document$1"),
    ),
    Case(
        "weak-map", "com.acme.model.Modeler", UNKNOWN, "a WeakHashMap whose values refer to keys",
        "MetadataCache.byType", ("com.acme.model.Metadata", "com.acme.model.EntityType"),
    ),
    Case(
        "linked-list", "com.acme.ledger.Ledger", UNKNOWN, "a linked list of the program's own",
        "Journal.first", ("com.acme.ledger.Posting",), collector=G1,
    ),
    Case(
        "strings", "com.acme.imports.Importer", UNKNOWN, "strings in a set: no class of the program grows",
        "Importer.seen", ("java.lang.String",),
    ),
    Case(
        "array-table", "com.acme.chat.ChatServer", UNKNOWN, "an array of the program's own that grows",
        "ConnectionTable.slots", ("com.acme.chat.Connection",),
    ),
    Case(
        "enum-log", "com.acme.audit.Auditor", UNKNOWN, "a ConcurrentSkipListMap in an enum's constant",
        "AuditLog.entries", ("com.acme.audit.AuditEntry",),
    ),
    Case(
        "own-cache", "com.acme.rates.RateServer", UNKNOWN, "a cache written by hand: a map and a deque",
        "RateCache.order", ("com.acme.rates.Rate",), collector=G1, other_owner="RateCache.rates",
    ),
    Case(
        "futures", "com.acme.api.Api", UNKNOWN, "stages of a future that never completes",
        "Startup.ready", ("com.acme.api.Request", "com.acme.api.Startup"),
    ),
    Case(
        "kotlin-object", "com.acme.tracing.Tracing", UNKNOWN, "a list in an object of one instance",
        "Telemetry.spans", ("com.acme.tracing.Span",),
    ),
    Case(
        "timer", "com.acme.calendar.Reminders", UNKNOWN, "cancelled tasks of a java.util.Timer",
        "Reminders.TIMER", ("com.acme.calendar.Reminder", "com.acme.calendar.Meeting"), collector=PARALLEL,
    ),
    Case(
        "redeployed", "com.acme.deploy.Deployer", UNKNOWN, "class loaders that a registry's elements keep",
        "Gauges.registered", ("com.acme.deploy.Webapp", "com.acme.deploy.WebappLoader"),
        text_classes=("com.acme.deploy.WebappPage",),
    ),
    Case(
        "executors", "com.acme.fax.FaxServer", UNKNOWN, "executors of one thread that nobody shuts down",
        "local variables of threads 'fax fax-*-*'", ("com.acme.fax.FaxJob",), collector=G1,
    ),
    Case(
        "class-value", "com.acme.json.Serializers", UNKNOWN, "values of a ClassValue",
        "Serializers.WRITERS", ("com.acme.json.JsonWriter",), other_owner="WriterList.writers",
    ),
    Case(
        "statements", "com.acme.warehouse.Warehouse", UNKNOWN, "statements in each connection of a pool",
        "PooledConnection.statements", ("com.acme.warehouse.OpenStatement",),
    ),
    Case(
        "ring", "com.acme.carousel.Carousel", UNKNOWN, "a ring of linked nodes",
        "Carousel.head", ("com.acme.carousel.Slide",), collector=PARALLEL,
    ),
    Case(
        "sub-lists", "com.acme.report.Reports", UNKNOWN, "subList() of large lists",
        "History.previews", ("com.acme.report.ReportRow",),
    ),
    Case(
        "cleaning-actions", "com.acme.image.Images", UNKNOWN,
        "cleaning actions that refer to what they clean",
        "Images.CLEANER", ("com.acme.image.DecodedImage",),
    ),
    Case(
        "local-variable", "com.acme.poll.Poller", UNKNOWN, "a list that only a local variable holds",
        "a local variable of thread 'main'", ("com.acme.poll.Reading",),
    ),
    Case(
        "library-map", "com.acme.fleet.Fleet", UNKNOWN,
        "a library's map in a static beside a companion object",
        "Tracker.positions", ("com.acme.fleet.Position",),
    ),
    Case(
        "record-keys", "com.acme.router.Router", UNKNOWN, "records that are never equal as keys",
        "Routes.byKey", ("com.acme.router.Route", "com.acme.router.RouteKey"), collector=G1,
    ),
    Case(
        "mbeans", "com.acme.beans.Beans", UNKNOWN, "MBeans, too few for the catalogue's leak",
        "ManagementFactory.platformMBeanServer", ("com.acme.beans.Beans$Link",),
    ),
    Case(
        "own-thread-locals", "com.acme.script.Interpreter", UNKNOWN,
        "a ThreadLocal in each object, whose value refers to the object",
        "Script.state", ("com.acme.script.Script", "com.acme.script.ScriptState"),
    ),
    Case(
        "growing-stream", _PROTOCOL, UNKNOWN, "one ByteArrayOutputStream that gets larger and larger",
        "Protocol.stream", ("byte[]",), arguments=("stream",), has_texts=False,
    ),
    Case(
        "growing-text", _PROTOCOL, UNKNOWN, "one StringBuilder that gets larger and larger",
        "Protocol.text", ("byte[]",), arguments=("text",), has_texts=False, collector=G1,
    ),
    Case(
        "growing-array", _PROTOCOL, UNKNOWN, "one byte[] that gets larger and larger",
        "Protocol.packed", ("byte[]",), arguments=("array",), collector=PARALLEL,
    ),
    Case(
        "growing-chunks", _PROTOCOL, UNKNOWN, "a list of byte[]", "Protocol.chunks", ("byte[]",),
        arguments=("chunks",),
    ),
    Case(
        "diagnostics", "com.acme.tickets.Tickets", UNKNOWN,
        "deques in an InheritableThreadLocal that are pushed and not popped",
        "Diagnostics.CONTEXT", ("com.acme.tickets.Scope",),
    ),
    Case(
        "widget-threads", "com.acme.widgets.Widgets", UNKNOWN,
        "threads that never end and keep the class loaders of what started them",
        "threads 'widget heartbeat'",
        ("com.acme.widgets.Widget", "com.acme.widgets.WidgetLoader", "com.acme.widgets.WidgetHeartbeat"),
    ),
    Case(
        "arenas", "com.acme.relay.Relay", UNKNOWN, "arenas of direct buffers that take none back",
        "Arena.free", ("com.acme.relay.Frame", "java.nio.DirectByteBuffer"),
        off_heap_bytes=8 * 60 * 64 * 1024, options=_DIRECT,
    ),
    Case(
        "in-flight", "com.acme.broker.Broker", UNKNOWN, "remote calls that are never answered",
        "RpcClient.inFlight", ("com.acme.broker.RemoteCall",), collector=G1,
    ),
    Case(
        "statement-caches", "com.acme.library.Library", UNKNOWN,
        "statements that connections of a pool cache by their SQL",
        "DbConnection.statementCache", ("com.acme.library.Prepared",),
    ),
    Case(
        "log-handlers", "com.acme.hotline.Hotline", UNKNOWN, "handlers of a logger",
        "Hotline.LOG", ("com.acme.hotline.CallLog",), collector=PARALLEL,
    ),
    Case(
        "tenants", "com.acme.clients.Clients", UNKNOWN, "300 lists, none of them large",
        "Tenant.visits", ("com.acme.clients.Visit",), other_owner="Directory.byName",
    ),
    Case(
        "chain-of-two", "com.acme.wiki.Wiki", UNKNOWN, "a chain in which two classes take turns",
        "Wiki.current", ("com.acme.wiki.Page", "com.acme.wiki.Visit"), collector=G1,
    ),
    Case(
        "noisy-heap", "com.acme.token.TokenServer", UNKNOWN,
        "a static map, beside larger work that comes and goes",
        "Tokens.ISSUED", ("com.acme.token.Token",),
    ),
    Case(
        "mailboxes", "com.acme.actors.Actors", UNKNOWN, "a queue in each of a hundred objects",
        "Actor.mailbox", ("com.acme.actors.Message",), collector=PARALLEL,
    ),
    Case(
        "script-loaders", "com.acme.rules.Scripts", UNKNOWN, "a class loader for each cached script",
        "ScriptCache.COMPILED", ("com.acme.rules.ScriptLoader", "com.acme.rules.Rule"),
    ),
    Case(
        "cancelled-futures", "com.acme.hub.Heartbeats", UNKNOWN, "futures of cancelled tasks in a list",
        "Hub.pings", ("java.util.concurrent.ScheduledThreadPoolExecutor$ScheduledFutureTask",),
    ),
    Case(
        "direct-slices", "com.acme.capture.Capture", UNKNOWN, "slices of direct buffers in objects of a list",
        "PacketLog.seen", ("com.acme.capture.Packet",), text_classes=("java.nio.DirectByteBuffer",),
        off_heap_bytes=8 * 60 * 64 * 1024, options=_DIRECT,
    ),
    Case(
        "tenant-maps", "com.acme.tenants.Tenants", UNKNOWN, "maps of maps, one of a class of the program",
        "Directory.TENANTS", ("com.acme.tenants.TenantSession",), collector=G1,
    ),
    Case(
        "waiting-threads", "com.acme.payment.Waiters", UNKNOWN, "threads that wait for ever",
        "threads 'payment-*'", ("com.acme.payment.PaymentWaiter",),
        other_owner="local variables of threads 'payment-*'",  # from JDK 19 on the task is a step further
    ),
    Case(
        "library-cache", "com.acme.users.UserDirectory", UNKNOWN, "a library's cache in a static",
        "UserDirectory.USERS", ("com.acme.users.User",),
    ),
)  # fmt: skip

_LAKE = "com.acme.lake.Lake"
KNOWN_LEAKS = (
    Case(
        "delete-on-exit", "com.acme.convert.TempFiles", KNOWN, "File.deleteOnExit()",
        known="jdk-delete-on-exit",
    ),
    Case(
        "shutdown-hooks", "com.acme.jobs.JobRunner", KNOWN, "shutdown hooks", known="jdk-shutdown-hooks",
    ),
    Case(
        "class-loaders", "com.acme.host.AppHost", KNOWN,
        "class loaders of applications that thread locals of a pool keep",
        known="class-loaders-in-thread-locals",
    ),
    Case("deflaters", "com.acme.archive.Archiver", KNOWN, "Deflaters without end()", known="jdk-inflaters"),
    Case(
        "proxy-users", _LAKE, KNOWN, "Hadoop file systems of a proxy user, in uneven steps",
        known="hadoop-fs-per-proxy-user", arguments=("fs-proxy",),
    ),
    Case(
        "remote-users", _LAKE, KNOWN, "Hadoop file systems of a remote user, in uneven steps",
        known="hadoop-fs-per-remote-user", arguments=("fs-remote",),
    ),
    Case(
        "keytabs", _LAKE, KNOWN, "Hadoop file systems of a keytab, in uneven steps",
        known="hadoop-fs-per-keytab-login", arguments=("fs-keytab",),
    ),
    Case(
        "statistics", _LAKE, KNOWN, "Hadoop's statistics of threads",
        known="hadoop-fs-statistics-per-thread", arguments=("statistics",),
    ),
    Case("s3a", _LAKE, KNOWN, "metrics of S3A", known="s3a-metrics", arguments=("s3a",)),
    Case(
        "spark", _LAKE, KNOWN, "listeners of Spark sessions",
        known="spark-execution-listener-bus", arguments=("spark",),
    ),
    Case(
        "aws", _LAKE, KNOWN, "connection managers of AWS clients",
        known="aws-idle-connection-reaper", arguments=("aws",),
    ),
)  # fmt: skip

HEALTHY_PROGRAMS = (
    Case("warm-up", "com.acme.boot.Boot", HEALTHY, "classes load and the JDK's caches fill for six steps"),
    Case(
        "full-cache", "com.acme.books.Books", HEALTHY,
        "a bounded cache that fills and levels off; snapshots with garbage",
        collector=PARALLEL, live=False, has_texts=False,
    ),
    Case(
        "full-cache-live", "com.acme.books.Books", HEALTHY, "the same without garbage", collector=G1,
    ),
    Case(
        "sawtooth", "com.acme.logs.Logs", HEALTHY,
        "a buffer that fills and is emptied; snapshots with garbage", live=False, has_texts=False,
    ),
    Case("batch", "com.acme.payroll.Payroll", HEALTHY, "a batch with phases"),
    Case("idle", "com.acme.clinic.Clinic", HEALTHY, "a server that nobody asks", collector=G1),
    Case("sessions", "com.acme.forum.Forum", HEALTHY, "many sessions that come and go"),
    Case("loaded-once", "com.acme.taxes.Taxes", HEALTHY, "a table that is loaded once and stays"),
    Case(
        "vocabulary", "com.acme.search.Search", HEALTHY, "ever fewer new words of a bounded vocabulary",
    ),
    Case(
        "soft-cache", "com.acme.photos.Photos", HEALTHY, "a cache that soft references hold",
        collector=G1, has_texts=False,
    ),
    Case("weak-styles", "com.acme.editor.Editor", HEALTHY, "a WeakHashMap whose keys come and go"),
    Case("day-curve", "com.acme.ticket.DayCurve", HEALTHY, "a load that rises to a peak and falls"),
    Case("windows", "com.acme.meter.Telemeter", HEALTHY, "windows of readings that fill", collector=G1),
    Case("open-futures", "com.acme.promise.Promises", HEALTHY, "chains of futures that end a step later"),
    Case("buffer-pool", "com.acme.camera.Camera", HEALTHY, "a pool of direct buffers", options=_DIRECT),
    Case("refilled-cache", "com.acme.refill.Refill", HEALTHY, "a cache that is cleared and fills again"),
    Case(
        "lazy-nursery", "com.acme.ticker.Ticker", HEALTHY,
        "garbage that no collection takes while it is watched; snapshots with garbage",
        live=False, has_texts=False, options=("-Xmn48m",),
    ),
    Case("working-buffers", "com.acme.studio.Studio", HEALTHY, "buffers that grow as far as they must"),
    Case(
        "reservoirs", "com.acme.metrics.Reservoirs", HEALTHY, "bounded histograms, some of which fill slowly",
    ),
    Case("long-batch", "com.acme.invoice.Invoices", HEALTHY, "a batch that grows for long and drops"),
    Case("waves", "com.acme.waves.Waves", HEALTHY, "a queue that fills and is drained in waves"),
    Case("ring-log", "com.acme.trail.Trail", HEALTHY, "a ring of fixed size that is full after three steps"),
)  # fmt: skip

CASES = (*UNKNOWN_LEAKS, *KNOWN_LEAKS, *HEALTHY_PROGRAMS)
# For --quick: one of each sort of answer.
QUICK = ("static-map", "thread-local", "two-lists", "direct-buffers", "delete-on-exit", "full-cache", "idle")
