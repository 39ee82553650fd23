"""Whatever is asked, every call answers with a status of the API and dxtd stays up: requests made from the descriptors
by a seed. --seed N and --requests N replay or lengthen it."""
import random
import sys


def option(name, otherwise):
    """Takes `--name N` off the command line."""
    if name not in sys.argv:
        return otherwise
    at = sys.argv.index(name)
    value = int(sys.argv[at + 1])
    del sys.argv[at:at + 2]
    return value


SEED, REQUESTS = option("--seed", 1), option("--requests", 800)

from harness import *  # noqa: E402,F403
from google.protobuf import message_factory  # noqa: E402
from google.protobuf.descriptor import FieldDescriptor  # noqa: E402

SERVICES = ["run", "pipeline", "schedule", "dependency", "project", "state", "package", "dead_letter", "server"]
TEXTS = ["", "x", "default", "projects/default", "projects/-", "projects/default/pipelines/p", "projects/none/runs/x",
         "projects/default/runs/01M80Q8Q85051K5CVZQQD5W1PM", "projects/default/schedules/s", "*/5 * * * *", "@every 1s",
         "Europe/Berlin", "state=FAILED AND create_time>\"2026-11-01\"", "create_time desc", "memory:in", "\u0000", "é" * 40,
         "../../etc/passwd", "%s%n", "'; DROP TABLE runs; --", "9" * 60, "x" * 5000,
         "version: 1\nname: p\nsource: \"memory:a\"\ntarget: \"memory:b\"\nstreams: [{id: s, source: s, target: t}]\n"]
NUMBERS = [0, 1, 2, 7, 50, 1000, 2**31 - 1]


def fill(message, random_, depth=0):
    for field in message.DESCRIPTOR.fields:
        if random_.random() < (0.35 if depth == 0 else 0.55):
            continue
        repeated = field.is_repeated
        if field.message_type is not None:
            if depth > 4:
                continue
            if field.message_type.GetOptions().map_entry:
                continue
            target = getattr(message, field.name)
            for _ in range(random_.randrange(3) if repeated else 1):
                fill(target.add() if repeated else target, random_, depth + 1)
            if not repeated:
                target.SetInParent()
            continue
        values = [value(field, random_) for _ in range(random_.randrange(3) if repeated else 1)]
        if repeated:
            getattr(message, field.name).extend(values)
        else:
            setattr(message, field.name, values[0])


def value(field, random_):
    kinds = FieldDescriptor
    if field.cpp_type == kinds.CPPTYPE_STRING:
        text = random_.choice(TEXTS)
        return text.encode() if field.type == kinds.TYPE_BYTES else text
    if field.cpp_type == kinds.CPPTYPE_BOOL:
        return random_.random() < 0.5
    if field.cpp_type in (kinds.CPPTYPE_DOUBLE, kinds.CPPTYPE_FLOAT):
        return random_.choice([0.0, -1.5, float("nan"), float("inf")])
    if field.cpp_type == kinds.CPPTYPE_ENUM:
        return random_.choice([0, 1, 2, 3, 99])
    number = random_.choice(NUMBERS)
    signed = field.cpp_type in (kinds.CPPTYPE_INT32, kinds.CPPTYPE_INT64)
    return -number if signed and random_.random() < 0.3 else number


class RandomRequests(unittest.TestCase):

    def test_every_call_answers_and_the_daemon_stays_up(self):
        random_ = random.Random(SEED)
        with Daemon() as daemon, daemon.channel() as channel:
            calls = []
            for name in SERVICES:
                for described in proto(f"{name}_service").DESCRIPTOR.services_by_name.values():
                    calls += [(described.full_name, method) for method in described.methods]
            self.assertGreater(len(calls), 40)
            answers = {}
            for at in range(REQUESTS):
                full_name, method = random_.choice(calls)
                request = message_factory.GetMessageClass(method.input_type)()
                fill(request, random_)
                code = self.call(channel, full_name, method, request, random_)
                answers[code] = answers.get(code, 0) + 1
                self.assertIsNone(daemon.process.poll(), f"--seed {SEED}: dxtd ended after request {at}, {full_name}."
                                                         f"{method.name} {request}\n" + daemon.log.read_text()[-4000:])
                self.assertNotIn(code, ("UNKNOWN", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"),
                                 f"--seed {SEED}: request {at}, {full_name}.{method.name} {request}: {self.said}")
            self.assertGreater(answers.get("OK", 0), 0)
            self.assertGreater(answers.get("INVALID_ARGUMENT", 0), REQUESTS // 10)
            channel_info = service("server").ServerServiceStub(channel)
            channel_info.GetServerInfo(proto("server_service").GetServerInfoRequest(), timeout=LIMIT)

    def call(self, channel, full_name, method, request, random_):
        """The name of the status that came back."""
        data = request.SerializeToString()
        if random_.random() < 0.1 and data:
            # Bytes that may be no message at all.
            data = bytearray(data)
            data[random_.randrange(len(data))] ^= 1 << random_.randrange(8)
            data = bytes(data)
        path = f"/{full_name}/{method.name}"
        try:
            if method.client_streaming:
                call = channel.stream_stream(path)(iter([data]), timeout=2)
                next(iter(call), None)
                call.cancel()
            elif method.server_streaming:
                call = channel.unary_stream(path)(data, timeout=2)
                next(iter(call), None)
                call.cancel()
            else:
                channel.unary_unary(path)(data, timeout=LIMIT)
            return "OK"
        except grpc.RpcError as error:
            self.said = error.details()
            return error.code().name


if __name__ == "__main__":
    main()
