"""The tour: lessons that check themselves by real requests.

lessons/TRACK/NN-NAME/       one lesson, which is data alone; adding one changes no code
    en.md, zh.md             what to do; then the hints, why it is so, and how its tests are called
    start.yaml               what runs when it begins; without it the walkthrough's app
    rules.yaml               the learner's file as it begins: a copy is edited
    solution.yaml            the same as it should end
    check.meshtest.yaml      route tests that the mesh that is up must pass

    lessons.every() -> [Lesson]                       read them
    progress.Progress.read(state_dir)                 how far the learner is
    staging.begin(engine, lesson, ...)                put a lesson's starting state in force
    checking.check(engine, lesson, ...) -> Checked    send the requests
"""
