package ucp

import (
	"cmp"
	"slices"
)

// Quorum says what UCP's stores, which have a member on each manager, would be left with while this manager rests.
type Quorum struct {
	Managers int      // all of them
	Needed   int      // how many must be up
	Others   int      // how many are up beside this one
	Down     []string // names of the others that are not up, sorted
}

// Quorum counts managers as the swarm sees them. A swarm that could not be asked has no others that are up.
func (i *Instance) Quorum() Quorum {
	q := Quorum{Managers: 1} // this one, whatever the swarm says
	for _, manager := range i.Swarm.Managers {
		if manager.ID == i.Node.ID {
			continue
		}
		q.Managers++
		if manager.Healthy {
			q.Others++
		} else {
			q.Down = append(q.Down, cmp.Or(manager.Name, manager.Address, manager.ID))
		}
	}
	q.Needed = q.Managers/2 + 1
	slices.Sort(q.Down)
	return q
}

// Lost tells that the stores have no quorum as it is, whether this manager rests or not.
func (q Quorum) Lost() bool { return q.Others+1 < q.Needed }

// Breaks tells that bringing this manager to rest costs the stores a quorum that they have, although there are enough
// managers to do without it were they all up.
func (q Quorum) Breaks() bool { return !q.Lost() && q.Others < q.Needed && len(q.Down) > 0 }
