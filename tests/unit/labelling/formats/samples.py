"""Rows with every field of every format, as the tools that they come from write them."""

from typing import Any

ASKED = {"role": "user", "content": "What is 2 + 2?"}
SAID = {"role": "assistant", "content": "4"}
OTHER = {"role": "assistant", "content": "5"}
SYSTEM = {"role": "system", "content": "Be brief."}

SAMPLES: dict[str, list[dict[str, Any]]] = {
    "text": [{"text": "a text"}],
    "prompt": [{"prompt": "a prompt"}, {"prompt": [SYSTEM, ASKED]}],
    "prompt+completion": [{"prompt": "a prompt", "completion": "an answer"}, {"prompt": [ASKED], "completion": [SAID]}],
    "messages": [{"messages": [SYSTEM, ASKED, SAID]}],
    "prompt+chosen+rejected": [
        {"prompt": "a prompt", "chosen": "good", "rejected": "bad", "margin": 0.5},
        {"prompt": [ASKED, SAID, ASKED], "chosen": [SAID], "rejected": [OTHER]},
    ],
    "chosen+rejected": [
        {"chosen": [ASKED, SAID], "rejected": [ASKED, OTHER], "margin": 2},
        {"chosen": "the sky is blue", "rejected": "the sky is black"},
    ],
    "hh-rlhf": [
        {
            "chosen": "\n\nHuman: hi\n\nAssistant: hello\n\nHuman: how?\n\nAssistant: so",
            "rejected": "\n\nHuman: hi\n\nAssistant: hello\n\nHuman: how?\n\nAssistant: no",
        }
    ],
    "messages+chosen+rejected": [
        {"messages": [SYSTEM, ASKED], "chosen": SAID, "rejected": OTHER},
        {"messages": [ASKED], "chosen": [SAID], "rejected": "5", "margin": 1},
    ],
    "openai-preference": [
        {
            "input": {"messages": [ASKED], "tools": [], "parallel_tool_calls": True},
            "preferred_output": [SAID],
            "non_preferred_output": [OTHER],
        }
    ],
    "alpaca": [
        {
            "instruction": "add",
            "input": "2 and 2",
            "output": "4",
            "system": "Be brief.",
            "history": [["hi", "hello"]],
        }
    ],
    "alpaca-pairs": [{"instruction": "add", "input": "2 and 2", "chosen": "4", "rejected": "5"}],
    "sharegpt": [
        {"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}], "system": "s"}
    ],
    "sharegpt-pairs": [
        {
            "conversations": [{"from": "system", "value": "s"}, {"from": "human", "value": "hi"}],
            "chosen": {"from": "gpt", "value": "hello"},
            "rejected": {"from": "gpt", "value": "go away"},
        }
    ],
    "summarize-comparisons": [
        {
            "info": {"id": "t3_1", "post": "a long post", "title": "a title", "subreddit": "tifu"},
            "summaries": [
                {"text": "one", "policy": "sup4", "note": "ok"},
                {"text": "two", "policy": "ref", "note": "better"},
            ],
            "choice": 1,
            "worker": "w7",
            "batch": "batch9",
            "split": "valid1",
            "extra": {"confidence": 8},
        },
        {
            "info": {"id": "c1", "article": "news", "title": "a title", "site": "cnn", "post": None},
            "summaries": [
                {"text": "one", "policy": "sup4", "note": None},
                {"text": "two", "policy": "ref", "note": ""},
            ],
            "choice": 0,
            "worker": "w8",
            "batch": "cnndm0",
            "split": "train",
            "extra": {},
        },
    ],
    "alpaca-farm": [
        {
            "instruction": "add",
            "input": "2 and 2",
            "output_1": "4",
            "output_2": "5",
            "annotator": "gpt4_1",
            "preference": 1,
            "annotator_index": 3,
            "time_per_example": 1.5,
            "output_1_generator": "ppo",
        },
        {"instruction": "add", "output_1": "4", "output_2": "5", "preference": 1.7},
    ],
    "responses+pairs": [
        {"prompt": "q", "responses": ["a", "b", "c"], "pairs": [[0, 1], [2, 1]], "sft_target": "d"},
        {"prompt": [ASKED], "responses": ["a", "b"], "pairs": [[1, 0]]},
    ],
    "ultrafeedback": [
        {
            "source": "evol_instruct",
            "instruction": "q",
            "models": ["m1", "m2"],
            "completions": [
                {
                    "model": "m1",
                    "response": "one",
                    "annotations": {"honesty": {"Rating": "5", "Rationale": "yes"}, "helpfulness": {"Rating": "N/A"}},
                    "overall_score": 7.5,
                },
                {"model": "m2", "response": "two", "annotations": {"honesty": {"Rating": "2"}}, "critique": "short"},
                {"model": "m3", "response": "three", "annotations": {"honesty": {"Rating": 2}}},
            ],
            "correct_answers": ["None"],
        }
    ],
    "shp": [
        {
            "post_id": "p1",
            "domain": "askculinary_train",
            "history": "how long?",
            "human_ref_A": "an hour",
            "human_ref_B": "two",
            "labels": 0,
            "score_A": 3,
            "score_B": 9,
            "c_root_id_A": "x",
            "score_ratio": 3.0,
        }
    ],
    "label-studio": [
        {
            "id": 1,
            "data": {"prompt": "q", "answer1": "one", "answer2": "two", "topic": "sums"},
            "annotations": [
                {
                    "id": 11,
                    "completed_by": 10,
                    "was_cancelled": False,
                    "ground_truth": True,
                    "lead_time": 4.2,
                    "created_at": "2025-01-01T00:00:00Z",
                    "result": [
                        {
                            "from_name": "comparison",
                            "to_name": "answer1",
                            "type": "pairwise",
                            "value": {"selected": "left"},
                        },
                        {"from_name": "why", "to_name": "answer1", "type": "textarea", "value": {"text": ["clear"]}},
                    ],
                },
                {"id": 12, "completed_by": {"id": 3, "email": "ben@x.org"}, "was_cancelled": True, "result": []},
                {"id": 13, "completed_by": 12, "was_cancelled": False, "result": []},
            ],
            "predictions": [
                {
                    "model_version": "judge-1",
                    "score": 0.7,
                    "result": [{"from_name": "c", "to_name": "a", "type": "pairwise", "value": {"selected": "right"}}],
                }
            ],
            "meta": {},
            "total_annotations": 3,
        },
        {
            "id": 2,
            "data": {
                "prompt": "q",
                "items": [
                    {"id": "llm_1", "title": "1", "body": "one"},
                    {"id": "llm_2", "title": "2", "body": "two"},
                    {"id": "llm_3", "title": "3", "body": "three"},
                ],
            },
            "annotations": [
                {
                    "completed_by": 10,
                    "result": [
                        {
                            "from_name": "rank",
                            "to_name": "answers",
                            "type": "ranker",
                            "value": {"ranker": {"_": ["llm_2", "llm_1"], "biased_results": ["llm_3"]}},
                        }
                    ],
                }
            ],
        },
    ],
    "argilla": [
        {
            "id": "r1",
            "status": "completed",
            "prompt": "q",
            "response1": "one",
            "response2": "two",
            "better.responses": [["response2", "response1"], None, ["response1", "response2"]],
            "better.responses.users": ["u1", "u2", "u3"],
            "better.responses.status": ["submitted", "discarded", "draft"],
            "better.suggestion": [{"value": "response1", "rank": 1}, {"value": "response2", "rank": 1}],
            "better.suggestion.agent": "gpt-x",
            "better.suggestion.score": 0.5,
            "why.responses": ["nicer"],
            "why.responses.users": ["u1"],
            "why.responses.status": ["submitted"],
        },
        {
            "id": "r2",
            "prompt": [ASKED],
            "response1": "one",
            "response2": "two",
            "rating_response1.responses": [5, 2],
            "rating_response1.responses.users": ["u1", "u2"],
            "rating_response1.responses.status": ["submitted", "submitted"],
            "rating_response2.responses": [3],
            "rating_response2.responses.users": ["u1"],
            "rating_response2.responses.status": ["submitted"],
        },
    ],
}
