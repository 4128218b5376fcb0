"""The tables of the label store.

What people said and did is only ever added to: `items`, `verdicts` and the two tables of events. `queue`, `seats`,
`assignments` and the states in `batches` and `annotators` say where things stand, so that no question has to be
answered by reading a whole batch. Free text is JSON, because PostgreSQL's text cannot hold the null character. Times
are seconds since 1970.
"""

from sqlalchemy import JSON, BigInteger, Boolean, Column, Float, ForeignKey, Index, Integer, MetaData, Table, Text

VERSION = 1

metadata = MetaData()
Serial = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only in a column of type INTEGER."""
JsonOrNull = JSON(none_as_null=True)

schema = Table("label_schema", metadata, Column("version", Integer, nullable=False))

batches = Table(
    "batches",
    metadata,
    Column("id", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("form", Text, nullable=False),
    Column("overlap", Integer, nullable=False),
    Column("gold_share", Float, nullable=False),
    Column("guidelines", JSON, nullable=False),
    Column("source", JSON, nullable=False),
    Column("state", Text, nullable=False),
    Column("announced", Boolean, nullable=False),
    Column("created", Float, nullable=False),
)

batch_events = Table(
    "batch_events",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("batch_id", ForeignKey("batches.id"), nullable=False, index=True),
    Column("time", Float, nullable=False),
    Column("event", Text, nullable=False),
    Column("who", JSON, nullable=False),
    Column("reason", JSON, nullable=False),
)

items = Table(
    "items",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("batch_id", ForeignKey("batches.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("gold", Integer),
    Column("priority", Float, nullable=False),
    Column("content", JSON, nullable=False),
    Index("items_in_order", "batch_id", "position", unique=True),
)

queue = Table(
    "queue",
    metadata,
    Column("item_id", ForeignKey("items.id"), primary_key=True, autoincrement=False),
    Column("batch_id", ForeignKey("batches.id"), nullable=False),
    Column("rank", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("overlap", Integer, nullable=False),
    Column("taken", Integer, nullable=False),
    Column("opinions", Integer, nullable=False),
    Index("queue_next", "batch_id", "kind", "rank"),
)
"""`kind` is fresh, back (free again after it was full), full, done or gold; `taken` counts opinions and open leases."""

annotators = Table(
    "annotators",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("role", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("token_hash", Text, unique=True),
)

annotator_events = Table(
    "annotator_events",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("annotator_id", ForeignKey("annotators.id"), nullable=False, index=True),
    Column("time", Float, nullable=False),
    Column("event", Text, nullable=False),
    Column("who", JSON, nullable=False),
    Column("reason", JSON, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("secret_hash", Text, primary_key=True),
    Column("annotator_id", ForeignKey("annotators.id"), nullable=False, index=True),
    Column("expires", Float, nullable=False),
)

seats = Table(
    "seats",
    metadata,
    Column("batch_id", ForeignKey("batches.id"), primary_key=True),
    Column("annotator_id", ForeignKey("annotators.id"), primary_key=True),
    Column("passed", Integer, nullable=False),
    Column("gold_passed", Integer, nullable=False),
    Column("shown", Integer, nullable=False),
    Column("given", Integer, nullable=False),
)
"""An annotator's place in a batch: how far in the queue, how many items were shown, how many verdicts stand."""

assignments = Table(
    "assignments",
    metadata,
    Column("item_id", ForeignKey("items.id"), primary_key=True, autoincrement=False),
    Column("annotator_id", ForeignKey("annotators.id"), primary_key=True, autoincrement=False),
    Column("batch_id", ForeignKey("batches.id"), nullable=False),
    Column("request_id", Text, nullable=False, unique=True),
    Column("state", Text, nullable=False),
    Column("claimed", Float, nullable=False),
    Column("expires", Float, nullable=False),
    Column("verdict_id", BigInteger),
    Index("assignments_of_annotator", "annotator_id", "batch_id", "state", "verdict_id"),
    Index("assignments_by_lease", "batch_id", "state", "expires"),
)
"""`state` is open (on somebody's screen), lapsed (its lease ran out) or done."""

verdicts = Table(
    "verdicts",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("request_id", Text, nullable=False, unique=True),
    Column("batch_id", ForeignKey("batches.id"), nullable=False),
    Column("item_id", ForeignKey("items.id"), nullable=False),
    Column("annotator_id", ForeignKey("annotators.id"), nullable=False),
    Column("adjudication", Boolean, nullable=False),
    Column("choice", Text, nullable=False),
    Column("ranking", JsonOrNull),
    Column("shown_order", JSON, nullable=False),
    Column("strength", Integer),
    Column("note", JsonOrNull),
    Column("seconds", Float),
    Column("time", Float, nullable=False),
    Index("verdicts_of_item", "batch_id", "item_id", "annotator_id", "id"),
    Index("verdicts_of_annotator", "annotator_id", "batch_id", "id"),
)
"""`choice` is first, second, tie, both_bad or skip as shown, rank, or undo, which takes the one before back."""
