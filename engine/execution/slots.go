package execution

// Slots every frame begins with. The compiler gives out the ones after them.
const (
	SlotInput = iota
	SlotRequest
	SlotEvent
	SlotSchedule
	SlotError
	SlotRun
	SlotGlobals
	SlotEnv
	firstSlot
)

// BaseSlots is how many slots every frame has before those of its pipeline.
const BaseSlots = firstSlot
