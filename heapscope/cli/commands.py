"""The commands by what one wants: what `--help` lists without importing any of them.

A command is the function of its name in the module of its name, a hyphen an underscore, but for `_ELSEWHERE`.
"""

from __future__ import annotations

# Title -> command -> what it does, in the order of --help.
GROUPS: dict[str, dict[str, str]] = {
    "Collect": {
        "ps": "The processes that host a JVM, embedded or not.",
        "watch": "Memory of JVM processes over time, and what grew.",
        "plot": "Chart what 'watch' wrote, and say what grew.",
        "collect": "Heap dumps and class histograms of running JVMs.",
    },
    "Find what leaks": {
        "diagnose": "What leaks, since when, why, and what to do.",
        "growth": "What grows, how fast, how sure, and when memory runs out.",
        "suspects": "Leak suspects: what retains much, and where it piles up.",
        "check": "Whether a leak is fixed; guards for test suites.",
        "explain-log": "What logs tell of memory: errors, kills, GC, jstack.",
    },
    "Look inside a dump": {
        "info": "What a dump is: format, layout, GC roots, JVM, environment.",
        "histogram": "Instances and shallow bytes of every class in one dump.",
        "dominators": "What retains most: objects, classes, packages, class loaders.",
        "retained": "What would go if all instances of a class went, exactly.",
        "paths": "What keeps an object, or all of a class, alive.",
        "referrers": "Who refers to an object, or to a class's instances.",
        "objects": "Instances of a class with their fields.",
        "inspect": "One object: fields, sizes, class loader, elements.",
        "threads": "Threads with stacks, what lies on these, what each retains.",
        "sql": "SQL over one dump or many.",
        "explore": "Walk through a heap in the browser.",
    },
    "Compare many dumps": {
        "census": "Watched classes with their subclasses, in each dump.",
        "diff": "Classes that changed between two dumps, or two runs.",
        "trend": "Growth of every class over all dumps.",
        "fleet": "Many dumps on Dask: which leak, and what they have in common.",
    },
    "Pass on": {
        "report": "The page that shows what grew: verdict, charts, diff, process.",
        "bundle": "The incident in one zip: reports, data, checksums; no raw dump.",
        "redact": "A copy of a dump without its secrets: same graph, same sizes.",
        "export": "A heap as Parquet, Arrow or a flame graph.",
        "mcp": "Answers for agents: a Model Context Protocol server.",
    },
    "Try, and set up": {
        "demo": "Replay the libhdfs incident here: find it, cure it, prove it.",
        "completion": "Print the completion script of a shell.",
    },
}
_ELSEWHERE = {"plot": "heapscope.cli.watch"}

# Name -> module.
COMMANDS = {
    name: _ELSEWHERE.get(name, f"heapscope.cli.{name.replace('-', '_')}")
    for commands in GROUPS.values()
    for name in commands
}
SHORT_HELP = {name: text for commands in GROUPS.values() for name, text in commands.items()}

# What --help shows on top.
EXAMPLES = (
    ("heapscope ps", "who hosts a JVM"),
    ("heapscope collect 4711 --every 10m --count 4 -o dumps", "take heap dumps"),
    ("heapscope diagnose dumps", "what leaks, and why"),
    ("heapscope report dumps -o incident.html", "the page for the ticket"),
    ("heapscope explore worker-3.hprof", "look around in it"),
)

# What `heapscope` alone says.
FIRST_STEPS = (
    ("I have heap dumps, or class histograms ('jmap -histo')", "heapscope diagnose FILE..."),
    ("I have a log", "heapscope explain-log FILE..."),
    ("The process still runs", "heapscope ps"),
    ("", "heapscope collect PID --every 10m --count 4 -o dumps"),
    ("", "heapscope diagnose dumps"),
    ("I want to look around in a heap", "heapscope explore FILE"),
    ("I have nothing, and want to see what it does", "heapscope demo --from-samples"),
)
