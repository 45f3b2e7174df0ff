"""Where analysis draws its lines, each with its reason: a source, a measurement, or a rule that it follows
from.  A limit that was chosen, and neither measured nor derived, says so.

``tests/unit/analysis/growth/test_trends.py`` measures false alarms and power of the limits of trends on
simulated series of known truth.
"""

from __future__ import annotations

# --- whether a series of figures grows (growth/trends.py) ---

# One-sided.  Four snapshots that rise in every step just pass: one order of 4! = 24 does, 1/24 = 0.042.
SIGNIFICANCE = 0.05
# The deepest fall that a growing series may have, as a part of its whole rise.  A sawtooth falls by all of
# its rise; a leak under a heap that is collected now and then falls by little.
MAX_FALL = 1 / 3
# What the last third of a growing series must still grow at, as a part of the whole slope: a cache that
# fills and levels off has a slope of 0 there.
MIN_TAIL = 1 / 3
# One step that makes more of the rise than this is a jump (a library loaded, a cache filled at once), not
# growth that goes on.
JUMP = 0.8

# A series of four snapshots or more whose speed falls, at every step or by a significant trend of its own, to
# this part of the first one comes to a limit: a reservoir, a vocabulary.  Of leaks under a steady load whose
# speed scatters by 20 % one in a hundred does the same (200,000 of four, five and eight snapshots simulated).
# Where it scatters by 50 % one in ten of four snapshots does, and three in a hundred of more: so what still
# rises is named all the same, and is no proof of a cure.
FADING = 0.5

# --- what is warm-up (growth/trends.py) ---

# Warm-up lies this many times the widest scatter of the steady half below its line.
WARM_UP_DEPTH = 4.0
# A steady half scatters by this part of its level at least: else the smallest change would count as warm-up
# where the rest is all but equal.  Chosen; of noise without warm-up 5 % at most is cut (measured there too).
LEAST_SCATTER = 0.01
# Snapshots that warm-up always leaves: with fewer nothing can pass `SIGNIFICANCE`.
MIN_STEADY = 4

# --- how many snapshots say something ---

# Two snapshots show a difference and not whether it goes on; three rise by chance once in 3! = 6.  From
# three on a leak is named, a heap called free of one, and a cure called one.
MIN_SNAPSHOTS = 3
# Below these a rise in every step fails a guard against growth, although it may be chance: a guard rather
# stops a build once too often than lets a leak pass.
GUARD_SURE_SNAPSHOTS = 4

# --- whether snapshots are of one process (growth/growth.py) ---

# A process unloads classes, those of reflection and of old plug-ins, but seldom so many at once.  Chosen: it
# only adds a question to the answer.
CLASSES_KEPT = 0.9

# --- whether a cure worked (growth/comparison.py) ---

# At the old rate so many more instances, at least, would have shown that nothing changed: a Poisson count of
# 10 is 0 once in 22,000 times.
MIN_EXPECTED = 10
# Growth that surely lies below this part of the old rate counts as none.  Chosen: a cure that leaves a fifth
# of a leak is none, and warm-up of the new process makes the same classes grow a little.
MAX_LEFT = 0.2

# What grows at this part of a rate, at least, grows as before, or in step with the class that is asked about.
# Chosen: the middle between none of the growth and all of it.
IN_STEP = 0.5

# --- forecasts (growth/forecast.py) ---

# Hours.  A limit that is reached later than in fifty years is not reached while the machine runs.
MAX_FORECAST_HOURS = 24 * 365 * 50

# --- whether the whole heap has grown, and which class leads that (growth.py, unknown_leak.py) ---

# The heap must have grown by this part of itself: garbage and load move every heap.  Chosen; the healthy
# sample dumps grow by 0.04 %, the leaking ones by 13 to 18 % from one to the next.
HEAP_GROWTH = 0.1
# The instances of the class that is named must retain this part of that growth.  Chosen: below a third
# other classes together explain more.
LEAST_PART = 0.3
# A field is followed over dumps if it owns this part of what is reachable.  Chosen: a leak that matters owns
# more, and each field costs a look at its elements.
OWNER_SHARE = 0.01
# Dumps that are opened for figures that no class histogram has: opening takes seconds a gigabyte.
SERIES_DUMPS = 8
# Where nothing is known to leak, so many fields that own at least this part of the heap are named.
OWNERS_SHOWN, OWNERS_SHOWN_SHARE = 3, 0.05
# How near the number of instances that a class of the program gained must come to that of the raw material
# (arrays, strings) for it to be made of it.
ONE_FOR_ONE = 0.1

# --- known leaks (leaks/diagnosis.py) ---

# "Most of it": of a finding's objects that an earlier finding retains, of growth that findings account for.
OVERLAP = 0.5

# --- logs (logs/) ---

# A full collection that frees less than this part of the heap, and leaves it as full as that, frees next to
# nothing.  HotSpot throws "GC overhead limit exceeded" where less than 2 % is freed (GCHeapFreeLimit); G1
# has no such rule, and 5 % are gone in seconds.  Chosen.
LEAST_FREED = 0.05
NEARLY_FULL = 0.85
# A limit in an hs_err file is reached where usage, with what was asked for, comes as close as this.  Chosen:
# the file is written after the refusal, when something was given back.
LIMIT_REACHED = 0.95
# Threads have a stack and a guard page, two maps each; the other maps of a JVM are some hundreds.
MAPS_REACHED = 0.9
# A machine is full where less than this part is available.  Chosen.
LITTLE_AVAILABLE = 0.03

# Hadoop file systems, or logins, of one URI or principal in one log.  One is right; restarts or several users
# in the same log make two or three of them.  Chosen.
LEAST_CREATED = 4
# JNI global references in thread dumps.  Below a thousand they cost nothing (some kilobytes).  A healthy JVM
# with libhdfs had 2,140 and, minutes later, 2,185 (the sample dumps); half as many again is growth.  Chosen.
LEAST_REFERENCES = 1000
REFERENCES_GROWTH = 1.5

# --- memory outside of the heap (leaks/off_heap.py) ---

# One dump of a healthy server with a pool of buffers shows as much outside as inside.  It says something
# where there are `LEAST_OFF_HEAP_BYTES` at least (heap/retention/off_heap.py), and four times as much as
# the heap's objects.  Chosen; the leaks that were measured show 6 to 46 times.
OFF_HEAP_FACTOR = 4
# The JVM throws OutOfMemoryError at the limit of direct memory; a part of it that is near.  Chosen.
NEAR_LIMIT = 0.8
# So many more objects whose size is not known, at least, are growth.  Chosen: fewer are noise of the load.
LEAST_OFF_HEAP_COUNT = 10

# --- memory of a watched process (memory/) ---

# Fewer samples cannot tell growth from what happens to be between two collections.
MIN_SAMPLES = 4
# A watch is cut into so many parts of equal time.  Chosen: an interval of 95 % takes six, and a part should
# be longer than what lies between two collections.
MAX_BLOCKS = 12
# Start-up is over after some minutes: only then is growth sure to go on, and a rate told by the hour.
SURE_SECONDS = 600.0
# And below this it may all be start-up.
SHORT_SECONDS = 60.0
# What the last third may add, as a part of the whole growth, to something that has levelled off.
LEVELLED_SHARE = 0.1
# Less than this, or than this share of the beginning, is noise of a JVM at rest ...
LEAST_GROWTH_BYTES = 8e6
LEAST_GROWTH_SHARE = 0.03
# ... but of a series that rises through all parts of a watch so little is enough: 60 GB that grow by 1.5.
LEAST_STEADY_SHARE = 0.003
# Fewer new classes or threads are what every program goes on loading and starting.  Chosen.
LEAST_CLASSES = 500
LEAST_THREADS = 20
# So many are named however few bytes they take beside the rest.  Chosen.
MANY_CLASSES = 2000
MANY_THREADS = 100
# What a thread or a loaded class takes outside of the heap: measured 80 to 90 kB, 12 to 13 kB with a loader
# of its own.
THREAD_BYTES = 100e3
CLASS_BYTES = 12e3
# The old generation tells garbage from what is held once so many collections lie between its first and its
# last figure: of fewer, what is held may be in the young one.  Chosen.
LEAST_COLLECTIONS = 3
# A second grower is named from this part of the first on: a heap brings 2 to 6 % outside of it (card tables,
# remembered sets, marking bits), small buffers bring objects.  Chosen.
SECOND_SHARE = 0.2
# "Nothing grew" is sure where even the upper end of the slope would add less than this in a day.
STEADY_SHARE_A_DAY = 0.1
STEADY_BYTES_A_DAY = 80e6
