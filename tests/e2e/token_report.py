"""A small report of a language model's run, written by h5py with the names of docs/report-format.md: figures of no real run."""
import h5py
import numpy as np

SCALARS = {
    "/workload/network": "llm", "/workload/parameters": 7000000, "/workload/sequences": 6, "/workload/prefill_tokens": 600, "/workload/decode_tokens": 240,
    "/quant/kvbits": 8, "/arch/array_rows": 512, "/arch/array_cols": 512, "/fabric/fabric": "chip of 5pp", "/fabric/n_cores": 64,
    "/fabric/channel_gbps": 128.0, "/mapping/tiles": 60, "/mapping/cores_used": 48, "/mapping/copies_max": 1, "/mapping/certificate": "routed", "/mapping/n_flows": 300,
    "/mapping/single_channel_flows": 120, "/mapping/max_hops": 4, "/mapping/bound_by": "attention of block 0", "/mapping/bound_initiation_interval_ps": 1500000,
    "/bandwidth/max_channel_required_gbps": 80.5, "/timing/throughput_tokens_s": 250000.0, "/timing/prefill_tokens_s": 400000.0, "/timing/decode_tokens_s": 90000.0,
    "/timing/time_to_first_token_s": 0.0004, "/timing/time_to_first_token_p99_s": 0.0009, "/timing/time_per_output_token_s": 3e-5, "/timing/time_per_output_token_p99_s": 4e-5,
    "/timing/in_flight_high": 40, "/timing/kv_cache_bytes": 3000000, "/timing/kv_tier": "sram", "/timing/slowest": "attention of block 0",
    "/energy/energy_per_token_nj": 900.0, "/energy/mvm_nj": 500.0, "/energy/digital_nj": 150.0, "/energy/kv_nj": 250.0, "/energy/power_w": 0.22, "/energy/tops_per_w": 12.5,
    "/energy/energy_boundary": "core", "/energy/cost_preset": "generic", "/run/command": "pentaprism run llm.yaml",
}
UNITS = {"context": "token", "prompt_tokens": "token", "decode_tokens": "token", "prefill_tokens": "token", "in_flight": "token", "kv_bytes": "B", "kv_bytes_sequence": "B",
         "tokens_s": "1/s"}


def units(name):
    return UNITS.get(name) or next((u for end, u in (("_ps", "ps"), ("_ns", "ns"), ("_pj", "pJ"), ("_s", "s")) if name.endswith(end)), "1")


def write(path):
    contexts = np.array([(c, 1500000 + 3000 * c, 9000000 + 9000 * c, 2900 * c, b"attention of block 0", 12, 90, 2048 * c) for c in (1, 16, 64, 256, 1024, 4096)],
                        dtype=[("context", "u4"), ("interval_ps", "u8"), ("latency_ps", "u8"), ("attention_ps", "u8"), ("bound_by", "S96"), ("fill_sequences", "u8"),
                               ("fit_sequences", "u8"), ("kv_bytes_sequence", "u8")])
    progress = np.array([(0.0001 * (i + 1), max(0, 60 - 6 * i), 4 + i, 40 - i, 150000 * (i + 1), 1e4 * (64 - 5 * i)) for i in range(12)],
                        dtype=[("time_s", "f8"), ("prefill_tokens", "u8"), ("decode_tokens", "u8"), ("in_flight", "u4"), ("kv_bytes", "u8"), ("tokens_s", "f8")])
    sequences = np.array([(i, 100, 40, 5e-5 * i, 6e-5 * i, 2e-4 + 1e-4 * i, 6e-4 + 1e-4 * i, 2e-4 + 5e-5 * i, 1e-5) for i in range(6)],
                         dtype=[("sequence", "u4"), ("prompt_tokens", "u4"), ("decode_tokens", "u4"), ("arrival_s", "f8"), ("enter_s", "f8"), ("first_token_s", "f8"), ("done_s", "f8"),
                                ("time_to_first_token_s", "f8"), ("time_per_output_token_s", "f8")])
    operators = np.array([(b"block", n, b"linear", 4, 1, k, 400000 * k, 0.2 * k, 0.21 * k, 12.5, 70.5 * k) for k, n in enumerate((b"q", b"kv", b"o", b"up", b"down"), 1)],
                         dtype=[("part", "S16"), ("name", "S40"), ("kind", "S16"), ("instances", "u4"), ("row_tiles", "u4"), ("tiles", "u8"), ("interval_ps", "u8"),
                                ("utilisation_mean", "f8"), ("utilisation_max", "f8"), ("wait_ns", "f8"), ("energy_pj", "f8")])
    pipeline = np.array([(40 + k, 1, 7 + k, b"block 2", n, 100000 * (k + i), 100000 * (k + i) + 20000 * (k % 2), 100000 * (k + i + 1) + 20000 * (k % 2))
                         for k in range(4) for i, n in enumerate((b"q", b"attention", b"o"))],
                        dtype=[("token", "u4"), ("sequence", "u4"), ("position", "u4"), ("part", "S24"), ("name", "S40"), ("ready_ps", "u8"), ("start_ps", "u8"), ("end_ps", "u8")])
    with h5py.File(path, "w") as f:
        f.attrs["schema"] = np.bytes_("pentaprism-report/1")
        for name, value in SCALARS.items():
            d = f.create_dataset(name, data=np.bytes_(value) if isinstance(value, str) else value)
            d.attrs["units"], d.attrs["description"] = np.bytes_(units(name)), np.bytes_(name.rsplit("/", 1)[1])
        for name, rows in (("/timing/contexts", contexts), ("/timing/progress", progress), ("/timing/sequences", sequences), ("/timing/operators", operators),
                           ("/timing/pipeline", pipeline)):
            d = f.create_dataset(name, data=rows)
            d.attrs["units"] = np.bytes_("; ".join(f"{c}: {units(c)}" for c in rows.dtype.names))
            d.attrs["description"] = np.bytes_(name + "".join(f"\n{c}: {c}" for c in rows.dtype.names))
