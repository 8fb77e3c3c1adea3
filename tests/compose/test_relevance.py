"""Only what a method reads counts: typed in vain it is refused, from presets and sweeps it is dropped, equal jobs run once."""

from __future__ import annotations

import pytest

from radar import compose
from radar.compose import command_line
from radar.compose.plan import plan
from radar.errors import ConfigError
from radar.experiment.run_fingerprint import fingerprint
from radar.methods.relevance import effective


def names(*arguments: str) -> list[str]:
    return plan(command_line.read(arguments)).names


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["method=pca", "timestep.value=7"], "timestep.value=7: method pca does not read it; leave it out"),
        (["method=pca", "timestep=t50"], "timestep=t50: method pca does not read it; leave it out"),
        (["method=lof", "unet=large"], "unet=large: method lof does not read it; leave it out"),
        (["method=pca", "training.max_steps=5"], "training.max_steps=5: method pca does not read it; leave it out"),
        (["method.windows.size=9"], "method.windows.size=9: method radar does not read it; leave it out"),
        (["method=lof", "method.windows.nu=0.1"], "method.windows.nu=0.1: method lof does not read it; leave it out"),
        (["method.windows.sise=9"], "method.windows.sise=9: no such key; did you mean method.windows.size?"),
        (["detector.trees=50"], "detector.trees=50: detector.name=upper_tail does not read it; leave it out"),
        (["detector=isolation_forest", "detector.spread_prior=3"],
         "detector.spread_prior=3: detector.threshold=quantile does not read it; leave it out"),
    ],
)  # fmt: skip
def test_what_is_typed_and_not_read_is_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        compose.experiment(overrides)
    assert str(error.value) == message


IDLE = [  # what makes a key idle; the key; why
    (["unet=compact"], "unet.groups=4", "unet.kind=compact"),
    (["dataset=mvtec_folder", "dataset.root=photos", "dataset.manifest=split.csv"], "dataset.validation_fraction=0.3",
     "dataset.manifest, which says the split,"),
    (["dataset=mvtec_folder", "dataset.root=photos", "dataset.manifest=split.csv"], "dataset.test_fraction=0.3",
     "dataset.manifest, which says the split,"),
    (["unet=no_attention"], "unet.attention_heads=2", "unet.attention_levels=[]"),
    (["dataset=mvtec_folder", "dataset.root=photos", "dataset.split=official"], "dataset.test_fraction=0.3", "dataset.split=official"),
    (["evaluation.pixel=false"], "evaluation.aupro_limit=0.1", "evaluation.pixel=false"),
    (["method=pca"], "evaluation.noise.thinning=3", "method pca, which predicts no noise,"),
    (["method=lof_texture"], "evaluation.noise.level=0.1", "method lof, which predicts no noise,"),
    (["method=pca", "method.controls=[]"], "detector.fitted_on=validation", "method pca"),
    (["method=lof", "method.controls=[]"], "detector.fitted_on=validation", "method lof"),
    (["method=lof_texture", "method.controls=[]"], "trainer.precision=bf16-mixed", "method lof, which trains no network,"),
    (["method=pca"], "trainer.compile=default", "method pca, which trains no network,"),
    (["method=pca"], "method.reduction.pixels=7", "method.reduction.statistic=max"),
    (["method=lof", "method.reduction.statistic=mean"], "method.reduction.pixels=7", "method.reduction.statistic=mean"),
    (["method=ddad", "method.reconstruction.features=none"], "method.reconstruction.pixel_weight=3",
     "method.reconstruction.features=none"),
    (["method=ddad", "method.reconstruction.features=none"], "method.reconstruction.adaptation.pairs=3",
     "method.reconstruction.features=none"),
    (["method=ddad", "method.reconstruction.features=unet", "method.reconstruction.adaptation.max_steps=0"],
     "method.reconstruction.adaptation.guidance=5", "method.reconstruction.adaptation.max_steps=0"),
]  # fmt: skip


@pytest.mark.parametrize(("because", "idle", "reader"), IDLE)
def test_what_nothing_reads_as_the_config_is_is_refused(because: list[str], idle: str, reader: str) -> None:
    with pytest.raises(ConfigError) as error:
        compose.experiment([*because, idle])
    assert str(error.value) == f"{idle}: {reader} does not read it; leave it out"


@pytest.mark.parametrize(("because", "idle", "reader"), IDLE)
def test_typed_as_it_is_anyway_it_changes_nothing(because: list[str], idle: str, reader: str) -> None:
    plain, key = compose.experiment(because), idle.partition("=")[0]
    sections = key.split(".")
    node = plain.method.settings if sections[0] == "method" else plain
    for name in sections[sections[0] == "method" :]:
        node = getattr(node, name)
    again = compose.experiment([*because, f"{key}={node}"])
    assert fingerprint(again, "data") == fingerprint(plain, "data")


@pytest.mark.parametrize(
    "overrides",
    [
        ["unet=small", "unet.groups=4"],
        ["unet=compact", "scoring.field=whole", "scoring.tile=64"],
        ["evaluation.pixel=true", "evaluation.aupro_limit=0.1"],
        ["method=pca", "evaluation.noise.permutations=99"],
        ["method=radar", "evaluation.noise.level=0.1"],
        ["method=pca", "method.controls=[mean_brightness]", "detector.fitted_on=validation"],  # which has two features
        ["method=pca", "method.controls=[]", "detector=shifted_tail", "detector.fitted_on=train"],
        ["method=radar", "detector=isolation_forest", "detector.fitted_on=validation"],
        ["method=pca", "method.reduction.statistic=top", "method.reduction.pixels=7"],
        ["method=ddad", "method.reconstruction.features=unet", "method.reconstruction.pixel_weight=3"],
        ["method=ddad", "method.reconstruction.features=unet", "method.reconstruction.adaptation.max_steps=5",
         "method.reconstruction.adaptation.pairs=3"],
    ],
)  # fmt: skip
def test_what_is_read_as_the_config_is_is_taken(overrides: list[str]) -> None:
    *rest, last = overrides
    changed, before = (fingerprint(compose.experiment(words), "data") for words in (overrides, rest))
    assert changed != before or last == "detector.fitted_on=train"


def test_in_a_sweep_a_key_counts_where_it_is_read() -> None:
    assert len(names("-m", "unet=compact,small", "unet.groups=4,8")) == 4  # runs as they were when made alone
    with pytest.raises(ConfigError, match=r"unet\.groups=4,16: unet\.kind=compact does not read it"):
        names("-m", "unet=compact", "unet.groups=4,16", "seed=0,1")


@pytest.mark.parametrize(
    "overrides",
    [
        ["method=pca", "scoring=paper"],  # the controls read its blur
        ["method=pca", "scoring.window=7"],
        ["method=pca", "experiment=fast"],
        ["method=pca_texture", "method.windows.stride=2"],
        ["detector=isolation_forest", "detector.trees=50"],
        ["method=osd_irf", "timestep=t50"],  # method.residual_field.timestep is null
    ],
)
def test_what_is_read_by_the_method_or_its_controls_is_taken(overrides: list[str]) -> None:
    chosen = next(item.removeprefix("method=") for item in [*overrides, "method=radar"] if item.startswith("method="))
    assert chosen.startswith(compose.experiment(overrides).method.name)  # pca_texture is a choice of pca


def test_presets_that_differ_in_nothing_that_is_read_make_one_run() -> None:
    some = [compose.experiment(["method=pca", f"experiment={name}"]) for name in ("noise_free", "fast")]
    assert some[0].training != some[1].training
    assert len({fingerprint(each, "data") for each in some}) == 1
    more = [compose.experiment([f"experiment={name}"]) for name in ("noise_free", "fast")]
    assert len({fingerprint(each, "data") for each in more}) == 2


def test_the_effective_config_has_the_methods_keys_and_no_others() -> None:
    tree = effective(compose.experiment(["method=pca", "method.controls=[mean_brightness]"]))
    assert not {"unet", "timestep", "training", "diffusion", "patch"} & tree.keys()
    assert tree["method"] == {
        "name": "pca",
        "controls": ["mean_brightness"],
        "reduction": {"smoothing": 0.0, "statistic": "max", "pixels": 1},
        "windows": {
            "descriptor": "raw", "size": 14, "stride": 4, "fitting_windows": 5000, "explained_variance": 0.95,
            "statistic": "both", "confidence": 0.99,
        },
    }  # fmt: skip
    assert set(tree["scoring"]) == {"blur", "window", "smoothing", "images_per_pass", "border"}  # type: ignore[arg-type]


def test_in_a_sweep_over_methods_each_takes_what_it_reads() -> None:
    axes = ["method=radar,pca", "timestep=t1,t10", "method.windows.size=9,12", "seed=3"]
    assert names("-m", *axes) == [
        "method=radar timestep=t1",
        "method=radar timestep=t10",
        "method=pca method.windows.size=9",
        "method=pca method.windows.size=12",
    ]


def test_in_a_sweep_what_none_of_its_methods_reads_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^timestep=t1,t10: none of method pca, method lof reads it; leave it out$"):
        names("-m", "method=pca,lof", "timestep=t1,t10")


def test_the_axes_of_a_sweep_config_are_dropped_where_they_are_not_read() -> None:
    assert names("--config-name", "sweep_timestep", "method=pca") == ["seed=0", "seed=1", "seed=2"]
    assert names("--config-name", "sweep_detector", "method=pca", "detector=upper_tail") == [
        "seed=0",
        "seed=1",
        "seed=2",
    ]


def test_rules_between_keys_that_are_not_read_do_not_count() -> None:
    small = ["dataset.synthetic.side=32", "dataset.image.size=16", "scoring.window=5"]
    with pytest.raises(ConfigError, match=r"patch.size=28: must be ≤ the image's side, 16 px"):
        compose.experiment(small)
    compose.experiment([*small, "method=pca"])


def test_overrides_that_count_as_a_preset_are_dropped() -> None:
    config = compose.experiment(["method=pca"], presets=["timestep.value=7", "method.windows.size=9", "method=lof"])
    assert (config.method.name, config.method.settings.windows.size, config.timestep.value) == ("pca", 9, 10)


FILTERS, UNTRAINED, WITHOUT = ["mean_brightness", "raw_sobel"], "same_untrained", "same_without_network"


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ([], [*FILTERS, UNTRAINED]),
        (["method=pca"], FILTERS),
        (["method=deep_svdd"], [*FILTERS, UNTRAINED]),
        (["experiment=recommended"], [*FILTERS, UNTRAINED, WITHOUT]),
        (["experiment=recommended", "method.fused_densities.appearance=null", "method.fused_densities.colour=null"],
         [*FILTERS, UNTRAINED]),
        (["experiment=recommended", *(f"method.fused_densities.{part}=null" for part in ("energy", "detail", "context"))], FILTERS),
    ],
    ids=["radar", "pca", "own-network", "fused", "noise-alone", "no-noise"],
)  # fmt: skip
def test_of_the_default_controls_a_run_has_those_that_apply(overrides: list[str], expected: list[str]) -> None:
    tree = effective(compose.experiment(overrides))
    assert tree["method"]["controls"] == expected  # type: ignore[call-overload,index]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["method=pca", "method.controls=[same_untrained]"],
         "method.controls=[same_untrained]: method pca has no control same_untrained; leave it out"),
        (["method.controls=[raw_sobel,same_without_network]"],
         "method.controls=[raw_sobel,same_without_network]: method radar has no control same_without_network; leave it out"),
        (["-m", "method=pca,lof", "method.controls=[same_untrained]"],
         "method.controls=[same_untrained]: method pca, method lof has no control same_untrained; leave it out"),
    ],
)  # fmt: skip
def test_a_control_that_is_typed_and_does_not_apply_is_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        names(*arguments)
    assert str(error.value) == message


def test_in_a_sweep_over_methods_each_has_the_typed_controls_that_apply() -> None:
    jobs = plan(command_line.read(["-m", "method=radar,pca", "method.controls=[raw_sobel,same_untrained]"])).jobs
    found = [effective(job.config)["method"]["controls"] for job in jobs]  # type: ignore[call-overload,index]
    assert found == [["raw_sobel", "same_untrained"], ["raw_sobel"]]


def test_without_a_part_that_reads_noise_the_network_is_not_read() -> None:
    parts = [f"method.fused_densities.{part}=null" for part in ("energy", "detail", "context")]
    assert (
        not {"unet", "training", "diffusion", "patch"}
        & effective(compose.experiment(["experiment=recommended", *parts])).keys()
    )


def test_what_is_idle_in_one_job_of_a_sweep_stays_in_it() -> None:
    """Else the job would be another run than the same one that was made alone."""
    planned = plan(command_line.read(["-m", "evaluation.pixel=false,true", "evaluation.aupro_limit=0.25"]))
    assert [job.config.evaluation.aupro_limit for job in planned.jobs] == [0.25, 0.25]
    assert all("evaluation.aupro_limit=0.25" in job.overrides for job in planned.jobs)


@pytest.mark.parametrize(
    ("words", "axis"),
    [
        (["-m", "timestep=t1,t10", "timestep.value=7"], "timestep=t1,t10"),
        (["-m", "method=radar,pca", "timestep=t1,t10", "timestep.value=7"], "timestep=t1,t10"),
        (["--config-name", "sweep_timestep", "timestep.value=7"], "timestep="),
        (["-m", "patch=14x14,28x28", "seed=0,1", "patch.size=20"], "patch=14x14,28x28"),
        (["-m", "tags=[a],[b]"], "tags=[a],[b]"),
        (["-m", "seed=0,1", "seed=5"], "seed=0,1"),
        (["-m", "timestep=t1,t10", "timestep={value:7}"], "timestep=t1,t10"),
        (
            ["-m", "detector=isolation_forest", "detector={trees:5},{trees:50}", "detector.trees=7"],
            "detector={trees:5},{trees:50}",
        ),
        (["--config-name", "sweep_timestep", "timestep=t1,t5", "timestep.value=7"], "timestep=t1,t5"),
    ],
)
def test_an_axis_that_makes_equal_jobs_is_refused(words: list[str], axis: str) -> None:
    with pytest.raises(ConfigError) as error:
        names(*words)
    assert str(error.value).startswith(axis) and "its values make equal jobs" in str(error.value)


@pytest.mark.parametrize(
    "words",
    [
        ["experiment=lof_texture", "trainer.precision=32-true,bf16-mixed"],
        ["experiment=debug", "unet.attention_levels=[]", "unet.attention_heads=2,4"],
        ["unet=compact", "unet={groups:8},{groups:4}"],
        ["evaluation.pixel=false", "evaluation.aupro_limit=0.3,0.25"],
        ["method=pca,lof", "method.controls=[]", "detector.fitted_on=train,validation"],
    ],
)
def test_an_axis_that_nothing_reads_is_refused_whatever_is_so_anyway(words: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        names("-m", *words)
    assert str(error.value).startswith(f"{words[-1]}: ") and "read" in str(error.value)


@pytest.mark.parametrize("axis", ["tags=[a],[b]", "preset=a,b"])
def test_of_a_label_it_is_said_that_it_tells_no_jobs_apart(axis: str) -> None:
    with pytest.raises(ConfigError, match=r"as a label tells no jobs apart; give one value$"):
        names("-m", axis, "seed=0,1")


@pytest.mark.parametrize(
    "words",
    [
        ["sweep_timestep", "timestep=t1"],
        ["sweep_border", "scoring={border:{name:margin,width:3}}"],
        ["sweep_seed", "seed=0,1,2"],
    ],
)
def test_an_axis_of_a_config_gives_way_to_what_is_typed(words: list[str]) -> None:
    assert names("--config-name", *words) == ["seed=0", "seed=1", "seed=2"]


def test_an_axis_that_tells_some_jobs_apart_is_none_of_these() -> None:
    assert len(names("-m", "method=radar,pca", "timestep=t1,t10")) == 3
    assert len(names("-m", "seed=1,1")) == 1


@pytest.mark.parametrize(
    ("word", "part"),
    [
        ("detector={trees:5}", "detector.name=upper_tail does not read detector.trees"),
        ("evaluation={pixel:false,aupro_limit:0.1}", "evaluation.pixel=false does not read evaluation.aupro_limit"),
        ("scoring.border={name:none,width:3}", "does not read scoring.border.width"),
        ("diffusion={schedule:linear,cosine_offset:0.5}", "does not read diffusion.cosine_offset"),
    ],
)
def test_every_key_in_braces_is_read(word: str, part: str) -> None:
    with pytest.raises(ConfigError, match=part.replace(".", "[.]")):
        compose.experiment([word])


SAME = [  # in braces; with dotted keys
    (["-m", "experiment=lof_texture,fast", "trainer={workers:2}"], ["-m", "experiment=lof_texture,fast", "trainer.workers=2"]),
    (["-m", "method=radar,pca", "scoring={window:7,draws:2}"], ["-m", "method=radar,pca", "scoring.window=7", "scoring.draws=2"]),
    (["-m", "method=radar,lof", "method={windows:{size:9}}"], ["-m", "method=radar,lof", "method.windows.size=9"]),
    (["-m", "unet=small,compact", "unet={groups:4}"], ["-m", "unet=small,compact", "unet.groups=4"]),
    (["-m", "detector=isolation_forest,upper_tail", "detector={trees:5},{trees:50}"],
     ["-m", "detector=isolation_forest,upper_tail", "detector.trees=5,50"]),
    (["scoring={border: {name: margin, width: 3}}"], ["scoring.border.name=margin", "scoring.border.width=3"]),
    (["scoring.border={name: margin, width: 3}", "scoring.border={width: 4}"],
     ["scoring.border.name=margin", "scoring.border.width=4"]),
    (["unet={groups:4}", "unet=small"], ["unet=small", "unet.groups=4"]),
    (["trainer={workers:1}", "trainer={threads:1}"], ["trainer.workers=1", "trainer.threads=1"]),
    (["unet=compact", "unet={groups:8,dropout:0.1}"], ["unet=compact", "unet.dropout=0.1"]),  # 8 as it is anyway
    (["evaluation={noise:{bins:9},panels:1}"], ["evaluation.noise.bins=9", "evaluation.panels=1"]),
    (["logger={wandb:null}"], ["logger.wandb=null"]),
    (["+scoring={window:7}"], ["scoring.window=7"]),
]  # fmt: skip


@pytest.mark.parametrize(("braces", "dotted"), SAME)
def test_braces_say_what_dotted_keys_say(braces: list[str], dotted: list[str]) -> None:
    found = [[effective(job.config) for job in plan(command_line.read(words)).jobs] for words in (braces, dotted)]
    assert found[0] == found[1] and len(found[0]) == len(names(*dotted))


def test_a_section_that_is_null_is_set_whole() -> None:
    region = "{name: found, tolerance: 3.0, thinnest: 3, inset: 1}"
    fused = ["method=fused_densities", "dataset.image.channels=luma_chroma"]
    configs = [
        compose.experiment([*fused, word])
        for word in (
            f"dataset.image.region_of_interest={region}",
            f"dataset={{image: {{region_of_interest: {region}}}}}",
        )
    ]
    assert configs[0] == configs[1] and configs[0].dataset.image.region_of_interest is not None


def test_of_presets_in_braces_what_nothing_reads_is_dropped() -> None:
    presets = [
        "scoring={window:7,draws:2}",
        "detector={trees:5}",
        "method={windows:{size:9,nu:0.1}}",
        "timestep={value:7}",
    ]
    config = compose.experiment(["method=pca"], presets=presets)
    assert (config.scoring.window, config.method.settings.windows.size) == (7, 9)
    plain = compose.experiment(["method=pca"])
    assert (config.scoring.draws, config.detector, config.timestep) == (
        plain.scoring.draws,
        plain.detector,
        plain.timestep,
    )


def test_what_is_said_in_braces_is_stored_as_it_was_typed() -> None:
    words = ("unet=compact", "unet={dropout:0.1}")
    (job,) = plan(command_line.read(words)).jobs
    assert job.overrides == words
    dotted = compose.experiment(["unet=compact", "unet.dropout=0.1"])
    assert fingerprint(job.config, "data") == fingerprint(dotted, "data")


@pytest.mark.parametrize(
    "word", ["sweep={table:unet}", "+sweep.table=unet", "++sweep.isolated=true", "sweep.table=noise"]
)
def test_how_jobs_run_together_is_read_or_refused(word: str) -> None:
    with pytest.raises(ConfigError, match="sweep"):
        names(word, "seed=1")
    if not word.startswith("sweep."):
        with pytest.raises(ConfigError, match="write the keys of sweep one by one"):
            names("-m", word, "seed=1,2")


@pytest.mark.parametrize(
    ("words", "window"),
    [
        (["scoring.window=7", "scoring={window:8}", "scoring.window=9"], 9),
        (["scoring={window:8}", "scoring.window=9", "scoring={window:8}"], 8),
        (["scoring.window=9", "scoring={window:8,draws:1}", "scoring.draws=2"], 8),
    ],
)
def test_what_is_said_last_counts_in_braces_or_not(words: list[str], window: int) -> None:
    assert compose.experiment(["experiment=debug", *words]).scoring.window == window
    jobs = plan(command_line.read(["-m", "experiment=debug", *words, "seed=0,1"])).jobs
    assert [job.config.scoring.window for job in jobs] == [window] * 2
