"""What the tour says beside its lessons, in the languages that it speaks.

JSON and errors are in English.
"""

from __future__ import annotations

from meshdemo.language import LANGUAGES

_WORDS = {
    "lesson": ("Lesson {number}: {title}", "第 {number} 课：{title}"),
    "your file": ("your file: {file}", "你的文件：{file}"),
    "kept": ("what you had written is kept in {file}", "你写过的内容保存在 {file}"),
    "when done": ("When you are done: meshdemo tour check", "完成之后运行: meshdemo tour check"),
    "stuck": ("If you are stuck: meshdemo tour hint", "需要提示时运行: meshdemo tour hint"),
    "stuck there": (
        "If you are stuck: meshdemo tour hint {number}",
        "需要提示时运行: meshdemo tour hint {number}",
    ),
    "passed": ("Lesson {number} is passed.", "第 {number} 课通过。"),
    "not passed": ("Lesson {number} is not passed yet.", "第 {number} 课还没有通过。"),
    "step holds": (
        "Step {step} of {steps} holds. Next: {following}",
        "第 {step} 步通过，共 {steps} 步。下一步：{following}",
    ),
    "undecided": (
        "The answers do not decide. Once more: meshdemo tour check {number}",
        "这些响应还不足以下结论。请再试一次: meshdemo tour check {number}",
    ),
    "next": ("Go on: meshdemo tour", "继续下一课: meshdemo tour"),
    "all passed": ("That was the last lesson: all are passed.", "全部课程都已通过。"),
    "see solution": (
        "One solution: meshdemo tour solution {number}",
        "参考答案: meshdemo tour solution {number}",
    ),
    "watching": (
        "Saves of {file} and changes of the mesh are checked. Enter: now; h: a hint; q: quit.",
        "每次保存 {file}、每次网格发生变化都会检查。回车：立即检查；h：提示；q：退出。",
    ),
    "mesh changed": ("The mesh has changed.", "网格发生了变化。"),
    "watching, passed": (
        "Enter: the next lesson; q: quit. What you save is still checked.",
        "回车：下一课；q：退出。保存文件时仍会检查。",
    ),
    "watching, all passed": (
        "All lessons are passed. q: quit. What you save is still checked.",
        "全部课程都已通过。q：退出。保存文件时仍会检查。",
    ),
    "why": ("Why it is so", "为什么"),
    "hint": ("Hint {shown} of {count}: {hint}", "提示 {shown}/{count}：{hint}"),
    "reset": ("Lesson {number} is as it begins.", "第 {number} 课已恢复到初始状态。"),
    "solved": (
        "The solution of lesson {number} is in force; your file is as it was.",
        "第 {number} 课的答案已经生效；你的文件没有改动。",
    ),
    "expected": ("expected", "期望"),
    "got": ("got", "实际"),
    "cause": ("cause", "原因"),
    "not set up": (
        "lesson {number} is not set up here; type: meshdemo tour goto {number}",
        "这里还没有准备第 {number} 课，请运行: meshdemo tour goto {number}",
    ),
    "nothing runs": (
        "there is no test client; if the lesson began with one: meshdemo tour goto {number}",
        "没有可以发送请求的测试客户端。如果这一课开始时有，请运行: meshdemo tour goto {number}",
    ),
    "cannot hold": (
        "what is expected cannot come from what is there",
        "网格里现有的对象不可能给出期望的结果",
    ),
    "export, title": (
        "Istio traffic management, by lessons that check themselves",
        "Istio 流量管理：可自动检查的课程",
    ),
    "export, about": (
        "A real Envoy, real requests, and a check that counts them; no cluster needed.",
        "真实的 Envoy、真实的请求，并通过统计响应进行检查；不需要集群。",
    ),
    "export, intro": (
        "Each step is a lesson: edit its file and press Check. `meshdemo tour check` says why not.",
        "每一步是一课：编辑文件，然后点击 Check。`meshdemo tour check` 会说明没有通过的原因。",
    ),
    "export, finish": (
        "That was the last lesson of this track.",
        "这一部分的课程到此结束。",
    ),
    "export, hint": ("Hint {shown} of {count}", "提示 {shown}/{count}"),
    "export, begin": ("To begin:", "开始之前："),
    "export, apply": (
        "Put it into force, and see whether it is right:",
        "让它生效，并检查是否正确：",
    ),
    "export, solution": ("One solution", "参考答案"),
    "build": ("Build", "搭建"),
    "repair": ("Repair", "修复"),
}


class Words:
    """The words of one language."""

    def __init__(self, language: str) -> None:
        self.language = language

    def __call__(self, name: str, **parts: object) -> str:
        """Give a sentence, with its parts put in."""
        return _WORDS[name][LANGUAGES.index(self.language)].format(**parts)
